{{/*
The values of this library and what follows from them, as YAML. Every other template begins with it. It takes the root of
your chart, in which the dependency is called `tieline` or `tieline-sidecar`.
*/}}
{{- define "tieline.scope" -}}
{{- if not (and (kindIs "map" .) (hasKey . "Subcharts")) -}}
{{- fail "templates of tieline-sidecar take the root of the chart: {{ include \"tieline.initContainer\" $ }}" -}}
{{- end -}}
{{- $root := . -}}
{{- $chart := dict -}}
{{- $key := "" -}}
{{- range $name := list "tieline" "tieline-sidecar" -}}
{{- if and (not $chart) (hasKey $root.Subcharts $name) -}}
{{- $chart = get $root.Subcharts $name -}}
{{- $key = $name -}}
{{- end -}}
{{- end -}}
{{- if not $chart -}}
{{- fail "no dependency is called tieline or tieline-sidecar: give the one in Chart.yaml the alias tieline" -}}
{{- end -}}
{{- $values := $chart.Values -}}
{{- $name := $values.nameOverride -}}
{{- if not $name -}}
{{- $name = contains "tieline" .Release.Name | ternary .Release.Name (printf "%s-tieline" .Release.Name) -}}
{{- end -}}
{{- $listen := $values.config.listen | default dict -}}
{{- $health := $listen.health | default "" -}}
{{- $sockets := list -}}
{{- $addresses := list -}}
{{- range $address := $listen.grpc -}}
{{- if hasPrefix "unix:" $address -}}
{{- $sockets = append $sockets (trimPrefix "unix:" $address) -}}
{{- else -}}
{{- $addresses = append $addresses $address -}}
{{- end -}}
{{- end -}}
{{- dict
  "values" $values
  "key" $key
  "name" ($name | trunc 52 | trimSuffix "-")
  "release" .Release.Name
  "managedBy" .Release.Service
  "version" $chart.Chart.AppVersion
  "configMap" ($values.existingConfigMap.name | default ($name | trunc 52 | trimSuffix "-"))
  "health" (dict "host" (regexReplaceAll ":[0-9]+$" $health "") "port" (regexFind "[0-9]+$" $health))
  "sockets" $sockets
  "addresses" $addresses
  | toYaml -}}
{{- end -}}

{{/* The port that others than this machine reach gRPC at; empty where there is none. Takes the scope. */}}
{{- define "tieline.openPort" -}}
{{- $port := "" -}}
{{- range $address := .addresses -}}
{{- if and (not $port) (ne (include "tieline.isLocal" $address) "true") -}}
{{- $port = regexFind "[0-9]+$" $address -}}
{{- end -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{- define "tieline.isLocal" -}}
{{- regexMatch "^(127\\.[0-9.]+|\\[::1\\]|localhost):[0-9]+$" . -}}
{{- end -}}

{{- define "tieline.mountPath" -}}
{{- .mountPath | default (printf "/var/run/secrets/%s" .name) -}}
{{- end -}}

{{/* Labels of what the library makes. Takes the scope. */}}
{{- define "tieline.labels" -}}
app.kubernetes.io/name: tieline
app.kubernetes.io/instance: {{ .release | quote }}
app.kubernetes.io/version: {{ .version | quote }}
app.kubernetes.io/managed-by: {{ .managedBy | quote }}
{{- end -}}

{{/* 1m30s as seconds, rounded up. */}}
{{- define "tieline.seconds" -}}
{{- $factors := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $total := 999 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}
{{- $total = mul (regexFind "^[0-9]+" . | int64) (regexFind "[a-z]+$" . | get $factors) | add $total -}}
{{- end -}}
{{- div $total 1000 -}}
{{- end -}}

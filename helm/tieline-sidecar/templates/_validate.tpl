{{/*
What no schema can say: everything that cannot work, at once, each with its key, its value and the mend. Takes the root.
*/}}
{{- define "tieline.validate" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $problems := list -}}
{{- range $check := list "tieline.checkListeners" "tieline.checkJournals" "tieline.checkCredentials" "tieline.checkChannels" -}}
{{- $problems = include $check $scope | splitList "\n" | concat $problems -}}
{{- end -}}
{{- with compact $problems -}}
{{- fail (printf "\n- %s" (join "\n- " .)) -}}
{{- end -}}
{{- end -}}

{{- define "tieline.checkListeners" -}}
{{- $listen := .values.config.listen | default dict -}}
{{- $at := printf "%s.config.listen" .key -}}
{{- if not .health.port }}
{{ $at }}.health is '{{ $listen.health | default "" }}': the probes ask it; write 0.0.0.0:7444
{{- else if eq (include "tieline.isLocal" $listen.health) "true" }}
{{ $at }}.health is '{{ $listen.health }}', which the kubelet's probes cannot reach; write 0.0.0.0:{{ .health.port }}: it has no data
{{- end }}
{{- if not $listen.grpc }}
{{ $at }}.grpc is empty: nobody could subscribe; write ["127.0.0.1:7443", "unix:/run/tieline/tieline.sock"]
{{- end }}
{{- $insecure := $listen.insecure | default "" }}
{{- $open := list }}
{{- if not (or $listen.tls (contains "plaintext" $insecure)) }}
{{- $open = append $open (printf "%s.tls (cert_file, key_file)" $at) }}
{{- end }}
{{- if not (or $listen.auth (contains "anyone" $insecure)) }}
{{- $open = append $open (printf "%s.auth (tokens_file or jwks_file, permissions)" $at) }}
{{- end }}
{{- $directories := list "/run/tieline/" "/var/lib/tieline/" }}
{{- range .values.extraVolumeMounts }}
{{- $directories = append $directories (printf "%s/" (trimSuffix "/" .mountPath)) }}
{{- end }}
{{- range $name := list "grpc" "admin" }}
{{- range $index, $address := get $listen $name | default list }}
{{- if hasPrefix "unix:" $address }}
{{- $path := trimPrefix "unix:" $address }}
{{- $writable := false }}
{{- range $directories }}
{{- $writable = or $writable (hasPrefix . $path) }}
{{- end }}
{{- if not $writable }}
{{ $at }}.{{ $name }}[{{ $index }}] is '{{ $address }}', and nothing can be written there; put the socket below /run/tieline
{{- end }}
{{- else if and (ne (include "tieline.isLocal" $address) "true") $open }}
{{ $at }}.{{ $name }}[{{ $index }}] is '{{ $address }}', which other machines reach: give {{ join " and " $open }}, or listen on 127.0.0.1
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tieline.checkJournals" -}}
{{- $key := .key -}}
{{- $journal := .values.journal -}}
{{- $most := int64 0 -}}
{{- range $index, $it := .values.config.journals -}}
{{- if not (hasPrefix "/var/lib/tieline/" $it.path) }}
{{ $key }}.config.journals[{{ $index }}].path is '{{ $it.path }}', which is no place that can be written; put it below /var/lib/tieline
{{- end -}}
{{- $retention := $it.retention | default dict -}}
{{- $most = include "tieline.bytes" ($retention.hard_max_bytes | default "3GiB") | int64 | add $most -}}
{{- end -}}
{{- if eq $journal.type "claim" -}}
{{- if not $journal.claim.name }}
{{ $key }}.journal.claim.name is empty: name the PersistentVolumeClaim that journal.type 'claim' is about
{{- end -}}
{{- if gt (int .values.pods) 1 }}
{{ $key }}.pods is {{ .values.pods }}, and a claim holds the journal of one process; use journal.type emptyDir
{{- end -}}
{{- else if gt $most (include "tieline.bytes" (printf "%sB" $journal.sizeLimit) | int64) }}
{{ $key }}.journal.sizeLimit is '{{ $journal.sizeLimit }}', less than the hard_max_bytes of all journals ({{ div $most 1048576 }}MiB; 3GiB where none is given): the pod would be evicted before retention acts; raise the one or lower the other
{{- end -}}
{{- end -}}

{{/* 1536MiB as bytes. */}}
{{- define "tieline.bytes" -}}
{{- $factors := dict "B" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "TiB" 1099511627776 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (regexFind "[A-Za-z]+$" . | get $factors | int64) -}}
{{- end -}}

{{- define "tieline.checkCredentials" -}}
{{- $key := .key -}}
{{- $values := .values -}}
{{- range $index, $it := $values.credentials -}}
{{- if eq (empty $it.secretName) (empty $it.configMapName) }}
{{ $key }}.credentials[{{ $index }}] ('{{ $it.name }}') names {{ empty $it.secretName | ternary "neither a secretName nor a configMapName" "both a secretName and a configMapName" }}: give one of them
{{- end -}}
{{- end -}}
{{- if not $values.existingConfigMap.name -}}
{{- range include "tieline.references" (dict "at" (printf "%s.config" $key) "node" $values.config "suffix" "_file") | splitList "\n" | compact -}}
{{- $reference := splitn "\t" 2 . -}}
{{- $mounted := hasPrefix "/var/lib/tieline/" $reference._1 -}}
{{- range $values.extraVolumeMounts -}}
{{- $mounted = or $mounted (hasPrefix (trimSuffix "/" .mountPath) $reference._1) -}}
{{- end -}}
{{- range $values.credentials -}}
{{- $directory := printf "%s/" (include "tieline.mountPath" .) -}}
{{- if hasPrefix $directory $reference._1 -}}
{{- $mounted = or (not .items) (has (trimPrefix $directory $reference._1) (values (.items | default dict))) -}}
{{- end -}}
{{- end -}}
{{- if not $mounted }}
{{ $reference._0 }} is '{{ $reference._1 }}', a file that nothing mounts: give {{ $key }}.credentials an entry with that mountPath, and that file among its items
{{- end -}}
{{- end -}}
{{- if not $values.extraEnvFrom -}}
{{- $names := list -}}
{{- range $values.extraEnv -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range include "tieline.references" (dict "at" (printf "%s.config" $key) "node" $values.config "suffix" "_env") | splitList "\n" | compact -}}
{{- $reference := splitn "\t" 2 . -}}
{{- if not (has $reference._1 $names) }}
{{ $reference._0 }} is '{{ $reference._1 }}', a variable that nothing sets: put it into {{ $key }}.extraEnv, or better use a file
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A line for each key below `node` that ends with `suffix`: its path, a tab, its value. What a profile says are no keys of ours. */}}
{{- define "tieline.references" -}}
{{- $scope := . -}}
{{- if kindIs "map" .node -}}
{{- range $key, $value := .node -}}
{{- $at := printf "%s.%s" $scope.at $key -}}
{{- if and (kindIs "string" $value) (hasSuffix $scope.suffix $key) }}
{{ $at }}{{ "\t" }}{{ $value }}
{{- else if ne $key "profile" -}}
{{- include "tieline.references" (dict "at" $at "node" $value "suffix" $scope.suffix) -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" .node -}}
{{- range $index, $value := .node -}}
{{- include "tieline.references" (dict "at" (printf "%s[%d]" $scope.at $index) "node" $value "suffix" $scope.suffix) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Genesys Cloud: 20 channels for each OAuth client, over all its processes. What names stand for is counted as one topic. */}}
{{- define "tieline.checkChannels" -}}
{{- $scope := . -}}
{{- $clients := dict -}}
{{- range $session := .values.config.sessions -}}
{{- if eq $session.platform "genesys-notifications" -}}
{{- $topics := 0 -}}
{{- range $session.topics -}}
{{- if kindIs "map" . -}}
{{- range . -}}
{{- $topics = kindIs "slice" . | ternary (len .) 1 | add $topics -}}
{{- end -}}
{{- else -}}
{{- $topics = add1 $topics -}}
{{- end -}}
{{- end -}}
{{- $channels := 1 -}}
{{- if gt (int $topics) 1000 -}}
{{- $channels = div (add $topics 899) 900 -}}
{{- end -}}
{{- $client := $session.auth.client_id_file | default $session.auth.client_id_env | default "" -}}
{{- $channels = mul $channels ($session.redundancy | default 1 | int) $scope.values.pods -}}
{{- $_ := set $clients $client (get $clients $client | default 0 | add $channels) -}}
{{- end -}}
{{- end -}}
{{- range $client, $channels := $clients -}}
{{- if gt (int $channels) 20 }}
{{ $scope.key }}.config.sessions: the OAuth client '{{ $client }}' would need {{ $channels }} channels in {{ $scope.values.pods }} pod(s), and Genesys Cloud has 20 for each (one per session and redundancy, of 1 000 topics): give sessions another OAuth client, or take fewer sessions, redundancy or {{ $scope.key }}.pods
{{- end -}}
{{- end -}}
{{- end -}}

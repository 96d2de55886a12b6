{{/*
A value as CEL. Literals of CEL hold values of one type, so each is made dynamic. The text `@configMap@` becomes the expression
that names the pod's ConfigMap.
*/}}
{{- define "tieline.cel" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha -}}
{{- if $index }}, {{ end }}{{ toJson $key }}: dyn({{ include "tieline.cel" (get $ $key) }})
{{- end -}} }
{{- else if kindIs "slice" . -}}
[{{- range $index, $value := . -}}
{{- if $index }}, {{ end }}dyn({{ include "tieline.cel" $value }})
{{- end -}}]
{{- else if eq (toString .) "@configMap@" -}}
variables.configMap
{{- else -}}
{{- toRawJson . -}}
{{- end -}}
{{- end -}}

{{/* A YAML map of texts as the entries of a CEL map. */}}
{{- define "tieline.celPairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := fromYaml . -}}
{{- $pairs = append $pairs (printf "%s: %s" (toJson $key) (toRawJson $value)) -}}
{{- end -}}
{{- join ",\n" $pairs -}}
{{- end -}}

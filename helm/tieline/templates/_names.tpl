{{/* Labels that never change for a release. */}}
{{- define "tieline.selector" -}}
app.kubernetes.io/name: tieline
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The claim that the chart makes. */}}
{{- define "tieline.claim" -}}
{{- (include "tieline.scope" . | fromYaml).name }}-journal
{{- end -}}

{{- define "tieline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "tieline.scope" . | fromYaml).name -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What cannot work here and would in a chart with the sidecar. */}}
{{- define "tieline.checkStandalone" -}}
{{- $problems := list -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $problems = append $problems (printf "replicas is %v: the journal and the OAuth clients' channels belong to one process; install another release, with clients of its own" .Values.replicas) -}}
{{- end -}}
{{- $values := .Values.tieline -}}
{{- if ne $values.mode "native" -}}
{{- $problems = append $problems (printf "tieline.mode is '%s': the pod has no other container, so leave it out" $values.mode) -}}
{{- end -}}
{{- if not (include "tieline.openPort" (include "tieline.scope" . | fromYaml)) -}}
{{- $problems = append $problems (printf "tieline.config.listen.grpc is %s, where no other pod reaches it; write [\"0.0.0.0:7443\"], with tls and auth" (toJson $values.config.listen.grpc)) -}}
{{- end -}}
{{- $needed := add 5 (include "tieline.seconds" $values.config.drain_timeout) -}}
{{- if gt $needed (int64 .Values.terminationGracePeriodSeconds) -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %v, and tieline.config.drain_timeout of %s wants %d" .Values.terminationGracePeriodSeconds $values.config.drain_timeout $needed) -}}
{{- end -}}
{{- with $problems -}}
{{- fail (printf "\n- %s" (join "\n- " .)) -}}
{{- end -}}
{{- end -}}

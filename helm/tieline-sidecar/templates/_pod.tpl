{{/* The volumes of the sidecar, for volumes. */}}
{{- define "tieline.volumes" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $values := $scope.values -}}
- name: tieline-config
  configMap:
    name: {{ $scope.configMap | quote }}
    items:
      - key: {{ $values.existingConfigMap.key }}
        path: tieline.yaml
- name: tieline-run
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: tieline-journal
  {{- if eq $values.journal.type "claim" }}
  persistentVolumeClaim:
    claimName: {{ tpl $values.journal.claim.name . | quote }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ $values.journal.sizeLimit }}
  {{- end }}
{{- range $values.credentials }}
- name: tieline-{{ .name }}
  {{- if .secretName }}
  secret:
    secretName: {{ .secretName | quote }}
    defaultMode: 0440
  {{- else }}
  configMap:
    name: {{ .configMapName | quote }}
    defaultMode: 0440
  {{- end }}
  {{- with .items }}
    items:
      {{- range $key, $path := . }}
      - key: {{ $key | quote }}
        path: {{ $path | quote }}
      {{- end }}
  {{- end }}
{{- end }}
{{- with $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* For the pod's securityContext: the group that reads the secrets and the socket. */}}
{{- define "tieline.podSecurityContext" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
fsGroup: {{ $scope.values.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
{{- end -}}

{{/* For the pod's annotations. */}}
{{- define "tieline.podAnnotations" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $values := $scope.values -}}
{{- $volumes := list "tieline-run" -}}
{{- if eq $values.journal.type "emptyDir" -}}
{{- $volumes = append $volumes "tieline-journal" -}}
{{- end -}}
{{- if not $values.existingConfigMap.name -}}
tieline/config: {{ include "tieline.lasting" $values.config | sha256sum }}
{{ end -}}
cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: {{ concat $volumes $values.app.evictableVolumes | join "," | quote }}
{{- with $values.app.container }}
kubectl.kubernetes.io/default-container: {{ . }}
{{- end }}
{{- end -}}

{{/* What of the configuration counts only from a restart on; the rest is read again by the sidecar itself. */}}
{{- define "tieline.lasting" -}}
{{- $lasting := omit . "sessions" "session_templates" "max_dynamic_sessions" -}}
{{- $listen := $lasting.listen | default dict -}}
{{- $limits := omit ($listen.limits | default dict) "subscribers" -}}
{{- omit $lasting "listen" | toYaml -}}
{{- omit $listen "limits" | toYaml -}}
{{- toYaml $limits -}}
{{- end -}}

{{/* For the pod's labels: what PodMonitor and NetworkPolicy find it by. */}}
{{- define "tieline.podLabels" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
tieline/sidecar: {{ $scope.name }}
{{- end -}}

{{/* For env of the containers that subscribe: where the sidecar is, and that no proxy lies before it. */}}
{{- define "tieline.appEnv" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $address := first (concat (list) $scope.addresses (list "")) -}}
{{- if $scope.sockets -}}
{{- $address = printf "unix:%s" (first $scope.sockets) -}}
{{- end -}}
{{- $direct := list "127.0.0.1" "localhost" "::1" -}}
{{- with $scope.values.app.noProxy -}}
{{- $direct = append $direct . -}}
{{- end -}}
- name: TIELINE_ADDRESS
  value: {{ $address | quote }}
{{- range list "NO_PROXY" "no_proxy" }}
- name: {{ . }}
  value: {{ $direct | join "," | quote }}
{{- end }}
{{- end -}}

{{/* For volumeMounts of the containers that subscribe: the directory of the socket. */}}
{{- define "tieline.appVolumeMounts" -}}
- name: tieline-run
  mountPath: /run/tieline
  readOnly: true
{{- end -}}

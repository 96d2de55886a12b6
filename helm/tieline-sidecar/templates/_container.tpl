{{/* A list with the sidecar, for initContainers: empty unless mode is native. Put it first if other init containers subscribe. */}}
{{- define "tieline.initContainer" -}}
{{- include "tieline.validate" . -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- if eq $scope.values.mode "native" -}}
{{- list (merge (dict "restartPolicy" "Always") (include "tieline.spec" $scope | fromYaml)) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* A list with the sidecar as an ordinary container, for containers: empty unless mode is container. */}}
{{- define "tieline.container" -}}
{{- include "tieline.validate" . -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- if eq $scope.values.mode "container" -}}
{{- list (include "tieline.spec" $scope | fromYaml) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* The container as a map, with what `merge` has to say of it. Takes the scope. */}}
{{- define "tieline.spec" -}}
{{- mergeOverwrite (include "tieline.rendered" . | fromYaml) .values.merge | toYaml -}}
{{- end -}}

{{/*
There is no preStop: a native sidecar's would run while the application still works. SIGTERM comes after it, and is all that
an orderly end needs.
*/}}
{{- define "tieline.rendered" -}}
{{- $values := .values -}}
name: {{ $values.containerName }}
image: {{ include "tieline.image" . | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args:
  - run
  - --config
  - /etc/tieline/tieline.yaml
  {{- range $values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "tieline.env" . | nindent 2 }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: tieline-health
    containerPort: {{ .health.port }}
    protocol: TCP
  {{- with include "tieline.openPort" . }}
  - name: tieline-grpc
    containerPort: {{ . }}
    protocol: TCP
  {{- end }}
{{- range $probe, $path := dict "startupProbe" "/startupz" "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
{{ $probe }}:
  httpGet:
    path: {{ $path }}
    port: tieline-health
  {{- get $values $probe | toYaml | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: {{ $values.runAsUser }}
  runAsGroup: {{ $values.fsGroup }}
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - name: tieline-config
    mountPath: /etc/tieline
    readOnly: true
  - name: tieline-run
    mountPath: /run/tieline
  - name: tieline-journal
    mountPath: /var/lib/tieline
  {{- range $values.credentials }}
  - name: tieline-{{ .name }}
    mountPath: {{ include "tieline.mountPath" . | quote }}
    readOnly: true
  {{- end }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "tieline.image" -}}
{{- $image := .values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .version) -}}
{{- end -}}
{{- end -}}

{{- define "tieline.env" -}}
{{- $values := .values -}}
{{- with $values.extraEnv }}
{{- toYaml . }}
{{ end -}}
- name: RUST_LOG
  value: {{ $values.log.filter | quote }}
{{- with $values.log.audit }}
- name: TIELINE_AUDIT_LOG
  value: {{ . | quote }}
{{- end }}
{{- with $values.proxy.url }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with $values.proxy.noProxy }}
- name: NO_PROXY
  value: {{ . | quote }}
{{- end }}
{{- if $values.otel.endpoint }}
{{- range $variable, $path := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "POD_UID" "metadata.uid" "NODE_NAME" "spec.nodeName" }}
- name: {{ $variable }}
  valueFrom:
    fieldRef:
      fieldPath: {{ $path }}
{{- end }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ $values.otel.endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ $values.otel.protocol | quote }}
- name: OTEL_SERVICE_NAME
  value: {{ .name | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ include "tieline.resourceAttributes" . | quote }}
{{- with $values.otel.sampler }}
- name: OTEL_TRACES_SAMPLER
  value: {{ . | quote }}
{{- end }}
{{- with $values.otel.samplerArg }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tieline.resourceAttributes" -}}
k8s.pod.name=$(POD_NAME),k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.uid=$(POD_UID),k8s.node.name=$(NODE_NAME),k8s.container.name={{ .values.containerName }}
{{- range $key, $value := .values.otel.resourceAttributes }},{{ $key }}={{ $value }}{{ end }}
{{- end -}}

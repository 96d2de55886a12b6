{{/* Everything that is no part of the pod, as documents. */}}
{{- define "tieline.objects" -}}
{{- include "tieline.validate" . -}}
{{- range $name := list "tieline.configMap" "tieline.podMonitor" "tieline.networkPolicy" -}}
{{- with include $name $ }}
---
{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tieline.configMap" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- if not $scope.values.existingConfigMap.name -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $scope.configMap }}
  labels:
    {{- include "tieline.labels" $scope | nindent 4 }}
data:
  {{ $scope.values.existingConfigMap.key }}: |
    {{- toYaml $scope.values.config | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "tieline.podMonitor" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $monitor := $scope.values.podMonitor -}}
{{- if $monitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ $scope.name }}
  labels:
    {{- include "tieline.labels" $scope | nindent 4 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "tieline.podLabels" . | nindent 6 }}
  podMetricsEndpoints:
    - port: tieline-health
      path: /metrics
      interval: {{ $monitor.interval }}
      scrapeTimeout: {{ $monitor.scrapeTimeout }}
      {{- with $monitor.relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $monitor.metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- with $monitor.sampleLimit }}
  sampleLimit: {{ int . }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "tieline.networkPolicy" -}}
{{- $scope := include "tieline.scope" . | fromYaml -}}
{{- $policy := $scope.values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $scope.name }}
  labels:
    {{- include "tieline.labels" $scope | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "tieline.podLabels" . | nindent 6 }}
  policyTypes:
    - Ingress
    {{- if $policy.egress }}
    - Egress
    {{- end }}
  ingress:
    - ports:
        - port: {{ $scope.health.port }}
          protocol: TCP
      {{- with $policy.monitoring }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with $policy.ingress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $policy.egress }}
  egress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "kilonova.labels" -}}
app.kubernetes.io/part-of: kilonova
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that select a component's pods: (dict "root" $ "component" "agent"). */}}
{{- define "kilonova.selector" -}}
app.kubernetes.io/name: kilonova-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* An image's reference: (dict "root" $ "image" .Values.agent.image). */}}
{{- define "kilonova.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Who the operator, and the agents before they have a host's token, are. */}}
{{- define "kilonova.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:kilonova-operator
{{- end }}
{{- define "kilonova.agentUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:kilonova-agent
{{- end }}

{{/* CEL: whether the request is made by one that the guards let pass. */}}
{{- define "kilonova.trusted" -}}
request.userInfo.username == '{{ include "kilonova.operatorUser" . }}'
{{- with .Values.guards.breakGlassGroup }} || '{{ . }}' in request.userInfo.groups{{ end }}
{{- end }}

{{/* CEL: whether the object that is to be deleted is annotated with its own name. */}}
{{- define "kilonova.deleteAllowed" -}}
has(oldObject.metadata.annotations) && 'compute.kilonova.dev/allow-delete' in oldObject.metadata.annotations && oldObject.metadata.annotations['compute.kilonova.dev/allow-delete'] == oldObject.metadata.name
{{- end }}

{{/* What a guard tells a person who means it: the kind, as kubectl takes it. */}}
{{- define "kilonova.howToMeanIt" -}}
' If you mean it: kubectl annotate {{ . }} ' + oldObject.metadata.name + ' compute.kilonova.dev/allow-delete=' + oldObject.metadata.name
{{- end }}

{{/* Whether mutating policies are rendered: "true" or nothing. */}}
{{- define "kilonova.mutating" -}}
{{- $served := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- $wanted := toString .Values.admission.mutating -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") $served) }}true{{ end }}
{{- end }}

{{/* A policy's binding: (dict "root" $ "name" "..."). */}}
{{- define "kilonova.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "kilonova.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}

{{/* Where pods may run: (the component's values). */}}
{{- define "kilonova.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

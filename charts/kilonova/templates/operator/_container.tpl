{{/* What the operator and the database migration before it have in common. */}}
{{- define "kilonova.operatorContainer" -}}
image: {{ include "kilonova.image" (dict "root" . "image" .Values.operator.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
  - configMapRef:
      name: kilonova-operator
env:
  - name: KILONOVA_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - name: KILONOVA_POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
resources:
  {{- toYaml .Values.operator.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: run
    mountPath: /run/kilonova
  {{- if eq .Values.database.backend "mysql" }}
  - name: databases
    mountPath: /etc/kilonova/databases
    readOnly: true
  {{- else }}
  - name: data
    mountPath: /var/lib/kilonova
  {{- end }}
{{- end }}

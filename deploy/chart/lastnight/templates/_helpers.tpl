{{- define "lastnight.name" -}}
{{- if contains "lastnight" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-lastnight" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "lastnight.selector" -}}
app.kubernetes.io/name: lastnight
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lastnight.labels" -}}
{{ include "lastnight.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* "true" where a server has no disk of its own, so that there may be several */}}
{{- define "lastnight.shared" -}}
{{- if and .Values.server.store .Values.server.archive }}true{{ end }}
{{- end }}

{{/* the Service that agents send to: with replicas the headless one, behind which they see each */}}
{{- define "lastnight.target" -}}
{{ include "lastnight.name" . }}-{{ if include "lastnight.shared" . }}replicas{{ else }}server{{ end }}
{{- end }}

{{- define "lastnight.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

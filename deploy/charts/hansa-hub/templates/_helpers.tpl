{{- define "hansa-hub.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: hansa
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "hansa-hub.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: hansa
{{- end }}

{{- define "hansa-hub.image" -}}
{{ .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .version }}{{ end }}
{{- end }}

{{- define "hansa-hub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "hansa-hub.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "hansa-hub.config" -}}
{{- $v := .Values -}}
{{- $nats := dict "servers" $v.nats.servers "replicas" ($v.nats.replicas | int) -}}
{{- with $v.nats.advertised }}{{ $_ := set $nats "advertised" . }}{{ end -}}
{{- $api := dict "host" "0.0.0.0" "port" 8443 "hosts" $v.api.hosts -}}
{{- with $v.api.advertised }}{{ $_ := set $api "advertised" . }}{{ end -}}
{{- toYaml (dict
  "dir" "/run/hansa/hub"
  "postgres" (dict "url" "postgres://set-by-HANSA_POSTGRES_URL/hansa")
  "nats" $nats
  "api" $api
  "log" (dict "level" $v.logLevel)) -}}
{{- end }}

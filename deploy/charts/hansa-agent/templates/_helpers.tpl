{{- define "hansa-agent.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: hansa
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "hansa-agent.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: hansa
{{- end }}

{{- define "hansa-agent.image" -}}
{{ .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .version }}{{ end }}
{{- end }}

{{- /* What every container of Hansa may do: nothing. */ -}}
{{- define "hansa-agent.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "hansa-agent.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
# Once, on an empty volume: later it would open the key files to the group, and the agent refuses such keys.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "hansa-agent.gatewayBootstrap" -}}
{{- $zone := first (default (list .Values.region) .Values.zones) -}}
{{- /* As the agent names it: services/agent/src/proxy/sockets.ts. */ -}}
{{- $socket := printf "gateway/%s" .Values.gateway.name | sha256sum | trunc 16 -}}
{{- .Files.Get "files/gateway.json" | replace "@CLUSTER@" .Values.cluster | replace "@GATEWAY@" .Values.gateway.name | replace "@REGION@" .Values.region | replace "@ZONE@" $zone | replace "@SOCKET@" $socket | trim -}}
{{- end }}

{{- define "hansa-agent.config" -}}
{{- $v := .Values -}}
{{- $hub := dict "url" $v.hub.url -}}
{{- if $v.hub.caPem }}{{ $_ := set $hub "caPem" $v.hub.caPem }}{{ end -}}
{{- $nats := dict "servers" $v.nats.servers -}}
{{- if $v.nats.caPem }}{{ $_ := set $nats "caPem" $v.nats.caPem }}{{ end -}}
{{- $kubernetes := dict "exportTo" $v.exportTo "clusterSetIps" $v.clusterSetIps "serviceCidrs" $v.serviceCidrs "endpointSlices" $v.endpointSlices -}}
{{- if $v.gatewayMode.enabled }}{{ $_ := set $kubernetes "gatewayMode" dict }}{{ end -}}
{{- if $v.sidecars.enabled }}
{{- $_ := set $kubernetes "sidecars" (dict
  "host" (printf "hansa-sidecars.%s.svc" .Release.Namespace)
  "listen" (dict "host" "0.0.0.0" "port" 15012)
  "webhook" (dict "host" "0.0.0.0" "port" 15017)
  "proxyImage" (include "hansa-agent.image" (dict "image" $v.sidecars.proxyImage "version" ""))
  "rulesImage" (include "hansa-agent.image" (dict "image" $v.sidecars.rulesImage "version" ""))
  "excludeOutboundCidrs" $v.sidecars.excludeOutboundCidrs
  "inbound" $v.sidecars.inbound
  "neighbourCidrs" $v.sidecars.neighbourCidrs) }}
{{- end -}}
{{- $config := dict
  "cluster" $v.cluster
  "dataDir" "/var/lib/hansa/agent"
  "socketDir" "/run/hansa/sockets"
  "source" (dict "kubernetes" $kubernetes)
  "region" $v.region
  "zones" (default (list $v.region) $v.zones)
  "network" (default $v.cluster $v.network)
  "namespaces" $v.namespaces
  "cidrs" $v.cidrs
  "claims" $v.claims
  "hub" $hub
  "nats" $nats
  "admin" (dict "host" "0.0.0.0" "port" 15010 "tokens" $v.adminTokens)
  "gateway" (dict "name" $v.gateway.name "address" $v.gateway.address "port" ($v.gateway.port | int) "listen" "0.0.0.0")
  "logLevel" $v.logLevel -}}
{{- if $v.dns.enabled }}{{ $_ := set $config "dns" (dict "listen" (list (dict "host" "0.0.0.0" "port" 15053))) }}{{ end -}}
{{- toYaml $config -}}
{{- end }}

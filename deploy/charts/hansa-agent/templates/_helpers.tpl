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

{{- /* "true" where proxies in pods come to the agent. */ -}}
{{- define "hansa-agent.door" -}}
{{- or .Values.sidecars.enabled (eq .Values.gateway.placement "deployment") -}}
{{- end }}

{{- /* Where the gateway's Service and ports are: its own pods, or the agent's. */ -}}
{{- define "hansa-agent.gatewayName" -}}
{{- ternary "hansa-agent" "hansa-gateway" (eq .Values.gateway.placement "agent") -}}
{{- end }}

{{- define "hansa-agent.gatewayBootstrap" -}}
{{- $zone := first (default (list .Values.region) .Values.zones) -}}
{{- /* As the agent names it: services/agent/src/proxy/sockets.ts. */ -}}
{{- $socket := printf "gateway/%s" .Values.gateway.name | sha256sum | trunc 16 -}}
{{- $file := ternary "files/gateway-beside.json" "files/gateway-in-pods.json" (eq .Values.gateway.placement "agent") -}}
{{- .Files.Get $file | replace "@CLUSTER@" .Values.cluster | replace "@NAMESPACE@" .Release.Namespace | replace "@GATEWAY@" .Values.gateway.name | replace "@REGION@" .Values.region | replace "@ZONE@" $zone | replace "@SOCKET@" $socket | trim -}}
{{- end }}

{{- define "hansa-agent.config" -}}
{{- $v := .Values -}}
{{- $hub := dict "url" $v.hub.url -}}
{{- if $v.hub.caPem }}{{ $_ := set $hub "caPem" $v.hub.caPem }}{{ end -}}
{{- $nats := dict "servers" $v.nats.servers -}}
{{- if $v.nats.caPem }}{{ $_ := set $nats "caPem" $v.nats.caPem }}{{ end -}}
{{- $kubernetes := dict "exportTo" $v.exportTo "clusterSetIps" $v.clusterSetIps "serviceCidrs" $v.serviceCidrs "endpointSlices" $v.endpointSlices -}}
{{- if $v.gatewayMode.enabled }}{{ $_ := set $kubernetes "gatewayMode" (eq $v.gateway.placement "agent" | ternary dict (dict "entryService" (dict "namespace" .Release.Namespace "name" "hansa-gateway"))) }}{{ end -}}
{{- if eq (include "hansa-agent.door" .) "true" }}
{{- $sidecars := dict
  "host" (printf "hansa-sidecars.%s.svc" .Release.Namespace)
  "listen" (dict "host" "0.0.0.0" "port" 15012)
  "proxyImage" (include "hansa-agent.image" (dict "image" $v.sidecars.proxyImage "version" ""))
  "rulesImage" (include "hansa-agent.image" (dict "image" $v.sidecars.rulesImage "version" ""))
  "excludeOutboundCidrs" $v.sidecars.excludeOutboundCidrs
  "inbound" $v.sidecars.inbound
  "neighbourCidrs" $v.sidecars.neighbourCidrs }}
{{- if $v.sidecars.enabled }}{{ $_ := set $sidecars "webhook" (dict "host" "0.0.0.0" "port" 15017) }}{{ end }}
{{- $_ := set $kubernetes "sidecars" $sidecars }}
{{- end -}}
{{- $gateway := dict "name" $v.gateway.name "port" ($v.gateway.port | int) "listen" $v.gateway.listen -}}
{{- if $v.gateway.addresses }}{{ $_ := set $gateway "addresses" $v.gateway.addresses }}
{{- else if $v.gateway.address }}{{ $_ := set $gateway "address" $v.gateway.address }}
{{- else }}{{ $_ := set $gateway "service" (dict "namespace" .Release.Namespace "name" "hansa-gateway") }}{{ end -}}
{{- if eq $v.gateway.placement "deployment" }}{{ $_ := set $gateway "serviceAccount" "hansa-gateway" }}{{ end -}}
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
  "gateway" $gateway
  "logLevel" $v.logLevel -}}
{{- if $v.nameServers }}{{ $_ := set $config "nameServers" $v.nameServers }}{{ end -}}
{{- if $v.dns.enabled }}{{ $_ := set $config "dns" (dict "listen" (list (dict "host" "0.0.0.0" "port" 15053))) }}{{ end -}}
{{- toYaml $config -}}
{{- end }}

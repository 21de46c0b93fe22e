{{/* What all parts share. */}}

{{- define "codis.selector" -}}
app.kubernetes.io/name: codis-proxy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "codis.labels" -}}
{{ include "codis.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "codis.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "codis.secret" -}}
{{ .Values.secret.existing | default (printf "%s-secret" .Release.Name) }}
{{- end }}

{{/* Where a headless service has its pods. */}}
{{- define "codis.domain" -}}
{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{- define "codis.zk" -}}
{{- if .Values.etcd.enabled -}}
{{- $root := . -}}
{{- $hosts := list -}}
{{- range $i := until (int .Values.etcd.replicas) -}}
{{- $hosts = append $hosts (printf "%s-etcd-%d.%s-etcd.%s:2379" $root.Release.Name $i $root.Release.Name (include "codis.domain" (dict "root" $root))) -}}
{{- end -}}
{{ join "," $hosts }}
{{- else -}}
{{ required "coordinator.zk is needed where etcd.enabled is false: the hosts of ZooKeeper or etcd" .Values.coordinator.zk }}
{{- end -}}
{{- end }}

{{/* config.ini, of proxies and dashboards. What is a pod's own is in its flags. */}}
{{- define "codis.config" -}}
coordinator = {{ .Values.etcd.enabled | ternary "etcd" .Values.coordinator.kind }}
zk = {{ include "codis.zk" . }}
product = {{ .Values.product }}
dashboard_addr = {{ .Release.Name }}-dashboard:18087
dashboard_token_file = /run/secrets/codis-proxy/dashboard_token
password_file = /run/secrets/codis-proxy/password
backend_password_file = /run/secrets/codis-proxy/redis_password
protected_mode = no
failover = {{ .Values.failover }}
failover_after = {{ .Values.failoverAfter }}
drain_delay = {{ .Values.proxy.drainDelay }}
drain_timeout = {{ .Values.proxy.drainTimeout }}
log_file = -
log_format = json
{{- range $key, $value := .Values.config }}
{{ $key }} = {{ kindIs "float64" $value | ternary (printf "%.0f" $value) $value }}
{{- end }}
{{- end }}

{{- define "codis.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "codis.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Pods of one part go to different nodes where they can. */}}
{{- define "codis.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- . | nindent 6 }}
{{- end }}

{{/* Files of a proxy, a dashboard or the first start. */}}
{{- define "codis.mounts" -}}
- { name: config, mountPath: /etc/codis-proxy, readOnly: true }
- { name: secret, mountPath: /run/secrets/codis-proxy, readOnly: true }
- { name: run, mountPath: /run/codis-proxy }
{{- end }}

{{- define "codis.volumes" -}}
- name: config
  configMap: { name: {{ .Release.Name }}-config }
- name: secret
  secret: { secretName: {{ include "codis.secret" . }}, defaultMode: 0440 }
- name: run
  emptyDir: { medium: Memory, sizeLimit: 16Mi }
{{- end }}

{{- define "codis.podIp" -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
{{- end }}

{{- define "codis.podName" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- end }}

{{/* The name of everything; one chart a release. */}}
{{- define "signet.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "signet" $name) }}{{ $name = printf "%s-signet" $name }}{{ end -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "signet.selector" -}}
app.kubernetes.io/name: signet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signet.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.image.tag }}
app.kubernetes.io/version: {{ trunc 63 . | quote }}
{{- end }}
{{ include "signet.selector" . }}
{{- end }}

{{/* One line for each mistake that a schema cannot express. Every workload includes it. */}}
{{- define "signet.check" -}}
{{- $v := .Values -}}
{{- if not $v.issuer }}{{ fail "issuer: set it to the https URL by which apps reach Signet" }}{{ end -}}
{{- if not $v.image.repository }}{{ fail "image.repository: set it to where you have pushed the image" }}{{ end -}}
{{- if not $v.masterKey.secret }}{{ fail "masterKey.secret: set it to the Secret with the master key" }}{{ end -}}
{{- if not (or $v.image.tag $v.image.digest) }}{{ fail "image.tag: set it, or image.digest" }}{{ end -}}
{{- if eq $v.store.type "bolt" -}}
{{- if gt (int $v.replicas) 1 }}{{ fail (printf "replicas: is %d, and a bolt file is for one server; set replicas to 1, or store.type to redis" (int $v.replicas)) }}{{ end -}}
{{- if $v.hpa.enabled }}{{ fail "hpa.enabled: a bolt file is for one server; set hpa.enabled to false, or store.type to redis" }}{{ end -}}
{{- else if not $v.store.redis.url }}{{ fail "store.redis.url: set it to the Redis, or store.type to bolt" -}}
{{- else if contains "@" $v.store.redis.url }}{{ fail "store.redis.url: has a username or a password; set store.redis.username and store.redis.passwordSecret" -}}
{{- else if not (regexMatch "^rediss?([+](sentinel|cluster))?://[^ ]+$" $v.store.redis.url) }}{{ fail "store.redis.url: begins with redis://, redis+sentinel://, redis+cluster://, or rediss in place of redis" -}}
{{- end -}}
{{- range $key := list "issuer" "listen" "data_dir" "store" "master_key_file" "tls" "trusted_proxies" "shutdown" -}}
{{- if hasKey $v.config $key }}{{ fail (printf "config.%s: the chart sets it; leave it out of config" $key) }}{{ end -}}
{{- end -}}
{{- if and $v.admin.enabled (not $v.tls.secret) }}{{ fail "admin.enabled: it takes tls.secret, because tokens and metrics cross the network" }}{{ end -}}
{{- if and $v.serviceMonitor.enabled (not $v.admin.enabled) }}{{ fail "serviceMonitor.enabled: it takes admin.enabled, where the metrics are" }}{{ end -}}
{{- if and $v.serviceMonitor.enabled (not $v.serviceMonitor.clientSecret) }}{{ fail "serviceMonitor.clientSecret: set it to the Secret with a client of scope signet:metrics" }}{{ end -}}
{{- if gt (int $v.hpa.minReplicas) (int $v.hpa.maxReplicas) }}{{ fail "hpa.minReplicas: it is more than hpa.maxReplicas" }}{{ end -}}
{{- end }}

{{- define "signet.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end -}}
{{- end }}

{{/* signet.yaml. Paths are those of the volumes below. */}}
{{- define "signet.config" -}}
{{- $v := .Values -}}
{{- $c := deepCopy $v.config -}}
{{- $_ := set $c "issuer" $v.issuer -}}
{{- $_ := set $c "listen" "0.0.0.0:8080" -}}
{{- $_ := set $c "data_dir" "/var/lib/signet/data" -}}
{{- $_ := set $c "master_key_file" (printf "/etc/signet/master/%s" $v.masterKey.key) -}}
{{- $_ := set $c "trusted_proxies" $v.trustedProxies -}}
{{- $_ := set $c "shutdown" (dict "delay" "5s" "drain" "20s") -}}
{{- if $v.tls.secret -}}
{{- $_ := set $c "tls" (dict "cert" "/etc/signet/tls/tls.crt" "key" "/etc/signet/tls/tls.key") -}}
{{- else -}}
{{- $_ := set $c "tls" (dict "terminated_by_proxy" true) -}}
{{- end -}}
{{- if $v.admin.enabled -}}
{{- $_ := set $c "admin" (mergeOverwrite (deepCopy (default dict $c.admin)) (dict "listen" (printf "0.0.0.0:%d" (int $v.admin.port)))) -}}
{{- end -}}
{{- if eq $v.store.type "bolt" -}}
{{- $_ := set $c "store" "bolt:signet.db" -}}
{{- else -}}
{{- $_ := set $c "store" $v.store.redis.url -}}
{{- $redis := deepCopy (default dict $c.redis) -}}
{{- with $v.store.redis.username }}{{ $_ := set $redis "username" . }}{{ end -}}
{{- if $v.store.redis.passwordSecret }}{{ $_ := set $redis "password_file" (printf "/etc/signet/redis/%s" $v.store.redis.passwordKey) }}{{ end -}}
{{- if $redis }}{{ $_ := set $c "redis" $redis }}{{ end -}}
{{- end -}}
{{ toYaml $c }}
{{- end }}

{{- define "signet.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "signet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "signet.mounts" -}}
- {name: config, mountPath: /etc/signet/signet.yaml, subPath: signet.yaml, readOnly: true}
- {name: master, mountPath: /etc/signet/master, readOnly: true}
{{- if and (eq .Values.store.type "redis") .Values.store.redis.passwordSecret }}
- {name: redis, mountPath: /etc/signet/redis, readOnly: true}
{{- end }}
{{- if .Values.tls.secret }}
- {name: tls, mountPath: /etc/signet/tls, readOnly: true}
{{- end }}
- {name: data, mountPath: /var/lib/signet}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Signet refuses secrets that others can read. With fsGroup a Secret of mode 0440 belongs to root and the group of the pod. */}}
{{- define "signet.volumes" -}}
- name: config
  configMap: {name: {{ .configMap }}, defaultMode: 0444}
- name: master
  secret: {secretName: {{ .Values.masterKey.secret }}, defaultMode: 0440}
{{- if and (eq .Values.store.type "redis") .Values.store.redis.passwordSecret }}
- name: redis
  secret: {secretName: {{ .Values.store.redis.passwordSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  secret: {secretName: {{ .Values.tls.secret }}, defaultMode: 0440}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 16Mi}
{{- end }}

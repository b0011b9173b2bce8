{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* headwater.conf, and the files that it names. */}}

{{/* A value in git's grammar. Whole numbers are written as such. */}}
{{- define "headwater.quoted" -}}
{{- $text := kindIs "float64" . | ternary (printf "%.0f" (. | float64)) (toString .) -}}
"{{ $text | trim | replace "\\" "\\\\" | replace "\"" "\\\"" | replace "\n" "\\n" }}"
{{- end -}}

{{/* Keys and values, in the order of their names. */}}
{{- define "headwater.keys" -}}
{{- range $key, $value := . }}
{{- range kindIs "slice" $value | ternary $value (list $value) }}
	{{ $key }} = {{ include "headwater.quoted" . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "headwater.section.server" -}}
[server]
{{- $host := include "headwater.host" . }}
{{- include "headwater.keys" (dict "name" (concat (list (printf "%s.%s" $host .Values.clusterDomain)) .Values.names)) }}
	drain-timeout = {{ .Values.drainSeconds }}s
{{- if .Values.hostKey.secret }}
	host-key = /etc/headwater/config/host-key
{{- end }}
{{- if .Values.tls.secret }}
	https = *:8443
	tls-cert = /etc/headwater/config/tls.crt
	tls-key = /etc/headwater/config/tls.key
{{- end }}
{{- include "headwater.keys" .Values.server }}
{{- end -}}

{{- define "headwater.section.owners" -}}
{{- $rights := dict "write" .Values.owners.write "bypass" .Values.owners.bypass }}
{{- if .Values.owners.publicKeys }}
[keys "owners"]
	directory = /etc/headwater/config/owners
	{{- include "headwater.keys" $rights }}
{{- end }}
{{- if .Values.owners.secret }}
[keys "owners-secret"]
	directory = /etc/headwater/owners
	{{- include "headwater.keys" $rights }}
{{- end }}
{{- end -}}

{{/* Every file of a Secret that an object names: path, and name and key of it.
     One template, so that the volume and the configuration agree. */}}
{{- define "headwater.files" -}}
{{- range $name, $key := .Values.keys }}
{{- with $key.secret }}
- {{ merge (dict "path" (printf "keys/%s" $name) "option" "file" "of" (printf "key/%s" $name)) . | toJson }}
{{- end }}
{{- end }}
{{- range $name, $token := .Values.tokens }}
- {{ merge (dict "path" (printf "tokens/%s" $name) "option" "file" "of" (printf "token/%s" $name)) $token.secret | toJson }}
{{- end }}
{{- range $name, $hook := .Values.hooks }}
{{- range $what := list "secret" "bearer" "ca" }}
{{- with index $hook $what }}
- {{ merge (dict "path" (printf "hooks/%s.%s" $name $what) "option" (printf "%s-file" $what) "of" (printf "hook/%s" $name)) . | toJson }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.hostKey }}
{{- if .secret }}
- {{ dict "path" "host-key" "name" .secret "key" .key | toJson }}
{{- end }}
{{- end }}
{{- with .Values.tls.secret }}
- {{ dict "path" "tls.crt" "name" . "key" "tls.crt" | toJson }}
- {{ dict "path" "tls.key" "name" . "key" "tls.key" | toJson }}
{{- end }}
{{- end -}}

{{- define "headwater.conf" -}}
{{- $files := include "headwater.files" . | fromYamlArray }}
{{- include "headwater.section.server" . }}
{{- with .Values.limits }}
[limits]
	{{- include "headwater.keys" . }}
{{- end }}
{{- include "headwater.section.owners" . }}
{{- range $kind, $objects := dict "repo" .Values.repositories "key" .Values.keys "token" .Values.tokens "hook" .Values.hooks }}
{{- range $name, $object := $objects }}
[{{ $kind }} {{ include "headwater.quoted" $name }}]
	{{- range $files }}
	{{- if eq (default "" .of) (printf "%s/%s" $kind $name) }}
	{{ .option }} = /etc/headwater/config/{{ .path }}
	{{- end }}
	{{- end }}
	{{- include "headwater.keys" (omit $object "secret" "bearer" "ca") }}
{{- end }}
{{- end }}
{{- end -}}

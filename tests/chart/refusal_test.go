// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"
	"testing"
)

// What is refused, and what helm then tells.
func TestNonsenseIsRefusedWithWords(t *testing.T) {
	for values, sentence := range map[string]string{
		"replica: 2":                 "'replica' not allowed",
		"image: {tags: x}":           "'tags' not allowed",
		"replicas: -1":               "/replicas': minimum",
		"replicas: many":             "/replicas': got string, want integer",
		"replicas: 2":                "set persistence.accessModes to [ReadWriteMany]",
		"persistence: {size: large}": "/persistence/size': 'large' does not match",
		"persistence: {accessModes: [ReadOnlyMany]}":                  "must be one of 'ReadWriteOnce'",
		"external: {type: ClusterIP}":                                 "must be one of 'NodePort', 'LoadBalancer'",
		"external: {ssh: {port: 70000}}":                              "/external/ssh/port': maximum",
		"repositories: {../etc: {}}":                                  "'../etc' does not match",
		"repositories: {a: {protect: [main]}}":                        "'protect' not allowed",
		"keys: {a: {read: ['**']}}":                                   "keys.a needs one of public-key and secret",
		"keys: {a: {public-key: x}}":                                  "keys.a may do nothing",
		"tokens: {a: {read: ['**']}}":                                 "/tokens/a': missing property 'secret'",
		"tokens: {a: {secret: x, read: a}}":                           "/tokens/a/secret': got string, want object",
		"hooks: {a: {repo: cluster}}":                                 "hooks.a needs one of url and receiver",
		"hooks: {a: {repo: cluster, url: 'ftp://x'}}":                 "'ftp://x' does not match",
		"hooks: {a: {repo: cluster, url: 'http://x'}}":                "say in networkPolicy.egress where that is",
		"hooks: {a: {repo: cluster, receiver: flux/a}}":               "add it to networkPolicy.fluxNamespaces",
		"hooks: {a: {repo: x, url: 'http://x', type: slack}}":         "must be one of 'generic-hmac'",
		"owners: {publicKeys: /home/me/.ssh/id.pub}":                  "is no public key; with --set-file",
		"owners: {publicKeys: '-----BEGIN OPENSSH PRIVATE KEY-----'}": "holds a private key",
		"owners: {write: []}":                                         "/owners/write': minItems",
		"ingress: {enabled: true}":                                    "ingress.enabled needs ingress.host",
		"httpRoute: {enabled: true}":                                  "httpRoute.enabled needs httpRoute.parentRefs",
		"limits: {sessions: lots}":                                    "/limits/sessions': got string, want integer",
		"limits: {session: 3}":                                        "'session' not allowed",
		"server: {ssh: '*:22'}":                                       "'ssh' not allowed",
		"drainSeconds: 25s":                                           "/drainSeconds': got string, want integer",
	} {
		_, err := render(t, values)
		if err == nil {
			t.Errorf("%s is taken", values)
		} else if !strings.Contains(err.Error(), sentence) {
			t.Errorf("%s is refused with %q, which does not say %q",
				values, err, sentence)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"path/filepath"
	"strings"
	"testing"
)

// matrix: what people would set, by a name, and the recipes of values files.
func matrix(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{
		"nothing": "",
		"one key": "owners: {publicKeys: " + publicKey(1) + "}",
		"several keys": "owners:\n  publicKeys: |\n    # alice\n    " +
			publicKey(1) + "\n\n    " + publicKey(2) + "\n",
		"keys of a Secret": "owners: {secret: owners}",
		"both":             "owners: {secret: owners, publicKeys: " + publicKey(1) + "}",
		"names": "nameOverride: git\nfullnameOverride: git-server\n" +
			"clusterDomain: example.org\nnames: ['node1:30022', git.example.org]",
		"image": "image: {repository: registry.example.org/headwater, " +
			"digest: 'sha256:" + strings.Repeat("0", 64) +
			"', pullSecrets: [registry]}",
		"nothing declared":    "repositories: {cluster: null}\nhooks: {flux: null}",
		"everything declared": everything,
		"replicas": "replicas: 3\npersistence: {accessModes: [ReadWriteMany], " +
			"storageClass: shared, size: 20Gi, annotations: {a: b}}",
		"replicas of a claim": "replicas: 2\npersistence: {existingClaim: shared}",
		"replicas without a budget": "replicas: 2\npersistence: " +
			"{existingClaim: shared}\npodDisruptionBudget: {enabled: false}",
		"node port": "external: {enabled: true, ssh: {nodePort: 30022}, " +
			"http: {enabled: true, nodePort: 30080}}",
		"load balancer": "external: {enabled: true, type: LoadBalancer, " +
			"loadBalancerClass: example.org/lb, externalTrafficPolicy: Local, " +
			"loadBalancerSourceRanges: [192.0.2.0/24], annotations: {a: b}}",
		"ingress": "ingress: {enabled: true, className: nginx, " +
			"host: git.example.org, tlsSecret: web, annotations: {a: b}}",
		"ingress of every name": "ingress: {enabled: true, host: '*.example.org', " +
			"className: '1', tlsSecret: '2'}",
		"route": "httpRoute: {enabled: true, parentRefs: [{name: gateway, " +
			"namespace: infra}], hostnames: [git.example.org], annotations: {a: b}}",
		"monitored": "serviceMonitor: {enabled: true, interval: 1m, " +
			"labels: {release: prometheus}}\nnetworkPolicy: {metricsFrom: " +
			"[{namespaceSelector: {matchLabels: {name: monitoring}}}]}",
		"host key and TLS": "hostKey: {secret: host-key}\ntls: {secret: web}",
		"open network":     "networkPolicy: {enabled: false}",
		"narrow network": "networkPolicy: {fluxNamespaces: [], " +
			"from: [{ipBlock: {cidr: 192.0.2.0/24}}], egress: [{to: " +
			"[{ipBlock: {cidr: 198.51.100.1/32}}], ports: [{port: 443}]}]}",
		"placed": "nodeSelector: {disk: ssd}\ntolerations: [{operator: Exists}]\n" +
			"affinity: {nodeAffinity: {}}\npriorityClassName: high\n" +
			"topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, " +
			"whenUnsatisfiable: ScheduleAnyway}]\npodLabels: {a: b}\n" +
			"podAnnotations: {a: b}\ncommonLabels: {team: infra}",
		"more of it": "extraConfig: {configMaps: [more], secrets: [hidden]}\n" +
			"extraVolumes: [{name: seed, configMap: {name: seed}}]\n" +
			"extraVolumeMounts: [{name: seed, mountPath: /seed}]\n" +
			"extraEnv: [{name: TZ, value: UTC}]",
		"account of others": "serviceAccount: {create: false, name: theirs}",
		"any user": "podSecurityContext: {runAsUser: null, runAsGroup: null, " +
			"fsGroup: null}",
	}
	recipes, err := filepath.Glob(filepath.Join(chartDir, "recipes", "*.yaml"))
	if err != nil || len(recipes) == 0 {
		t.Fatal("there are no recipes")
	}
	for _, path := range recipes {
		all[filepath.Base(path)] = read(t, path)
	}
	return all
}

// Every kind of object with all of its keys.
var everything = `
owners: {publicKeys: ` + publicKey(1) + `, write: ["**"], bypass: false}
repositories:
  team/apps:
    public: true
    branch: trunk
    description: "so called \"apps\" of C:\\temp"
    quota: 10g
    protect-branch: [trunk, "release/*"]
    protect-path: clusters/*/flux-system/**
keys:
  ci@example:
    public-key: ` + publicKey(3) + `
    previous-key: ` + publicKey(4) + `
    read: ["**"]
  robot:
    secret: {name: robot, key: id.pub}
    write: team/*
    bypass: true
tokens:
  ci: {secret: {name: ci-token, key: token}, read: ["**"]}
hooks:
  flux: {secret: {name: flux-hook, key: token}}
  elsewhere:
    repo: ["**"]
    url: https://ci.example.org/{name}
    type: github
    secret: {name: elsewhere, key: secret}
    bearer: {name: elsewhere, key: bearer}
    ca: {name: elsewhere, key: ca.crt}
    tag: ["v*"]
  chat: {repo: cluster, url: "http://chat.example.org/x", type: generic, no-secret: true}
networkPolicy: {egress: [{}]}
server: {log-format: json, hook-wait: 2s, receiver-service: "receiver.flux.svc:8080"}
limits: {push-objects: 5000000, push-size: 4g, disk-reserve: 10%, login-timeout: 20s}
drainSeconds: 60
`

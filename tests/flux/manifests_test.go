// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	automationv1 "github.com/fluxcd/image-automation-controller/api/v1"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/fluxcd/pkg/ssh"
)

// kinds: whose fields a document may have, and no others.
var kinds = map[string]func() any{
	"v1/Namespace":             func() any { return &corev1.Namespace{} },
	"v1/PersistentVolumeClaim": func() any { return &corev1.PersistentVolumeClaim{} },
	"v1/Secret":                func() any { return &corev1.Secret{} },
	"v1/ServiceAccount":        func() any { return &corev1.ServiceAccount{} },
	sourcev1.GroupVersion.String() + "/GitRepository": func() any {
		return &sourcev1.GitRepository{}
	},
	kustomizev1.GroupVersion.String() + "/Kustomization": func() any {
		return &kustomizev1.Kustomization{}
	},
	notificationv1.GroupVersion.String() + "/Receiver": func() any {
		return &notificationv1.Receiver{}
	},
	automationv1.GroupVersion.String() + "/ImageUpdateAutomation": func() any {
		return &automationv1.ImageUpdateAutomation{}
	},
}

// Kinds whose types would take too much to compile; they must still be YAML.
var taken = map[string]bool{
	"batch/v1/Job": true,
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": true,
	"fluxcd.controlplane.io/v1/FluxInstance":          true,
}

// decode reads documents as an API server with strict validation would.
func decode(t *testing.T, text string) []any {
	t.Helper()
	var objects []any
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		name := head.APIVersion + "/" + head.Kind
		if name == "/" || taken[name] {
			continue
		}
		if kinds[name] == nil {
			t.Fatalf("no kind %s:\n%s", name, document)
		}
		object := kinds[name]()
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// secrets by name, as the API server keeps them.
func secretsOf(objects []any) map[string]map[string][]byte {
	found := map[string]map[string][]byte{}
	for _, object := range objects {
		if s, ok := object.(*corev1.Secret); ok {
			data := s.Data
			if data == nil {
				data = map[string][]byte{}
			}
			for key, value := range s.StringData {
				data[key] = []byte(value)
			}
			found[s.Namespace+"/"+s.Name] = data
		}
	}
	return found
}

func find[T any](t *testing.T, objects []any) T {
	t.Helper()
	for _, object := range objects {
		if found, ok := object.(T); ok {
			return found
		}
	}
	var none T
	t.Fatalf("there is no %T", none)
	return none
}

func TestPrintsWhatFluxTakes(t *testing.T) {
	makeRepository(t, "printed")
	makeRepository(t, "tenants/blue")
	for name, words := range map[string][]string{
		"defaults": {"printed", "--create-namespace"},
		"options": {"printed", "--namespace", "apps", "--name", "x",
			"--branch", "no", "--path", "./a b", "--interval", "30s",
			"--target-namespace", "y", "--service-account", "z",
			"--wait", "--recurse-submodules", "--secret-ref", "s"},
		"semver": {"printed", "--name", "v", "--tag-semver", ">=1.0 <2"},
		"commit": {"printed", "--name", "c", "--commit",
			"0123456789012345678901234567890123456789"},
		"source": {"printed", "--name", "k", "--source", "a.b"},
		"http":   {"printed", "--name", "h", "--http"},
		"tenants": {"tenants/**", "--namespace", "apps",
			"--target-namespace", "{basename}"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := decode(t, server.cli(t,
				append([]string{"flux", "all"}, words...)...))
			if len(objects) < 3 {
				t.Errorf("%d objects", len(objects))
			}
			find[*kustomizev1.Kustomization](t, objects)
			find[*notificationv1.Receiver](t, objects)
		})
	}
}

// What was printed, given to Flux's client as source-controller would.
func TestPrintsASourceThatCanBeCloned(t *testing.T) {
	h := makeHistory(t, "applied")
	server.cli(t, "repo", "set", h.repo, "public=false")
	for _, doors := range [][]string{
		{"--url", server.sshURL("{name}")},
		{"--http", "--url", server.httpURL("{name}")}} {
		objects := decode(t, server.cli(t, append([]string{"flux", "all",
			h.repo, "--name", "src"}, doors...)...))
		source := find[*sourcev1.GitRepository](t, objects)
		data := secretsOf(objects)["flux-system/src"]
		if data == nil {
			t.Fatal("no Secret")
		}
		if source.Spec.SecretRef == nil ||
			source.Spec.SecretRef.Name != "src" {
			t.Errorf("secretRef %v", source.Spec.SecretRef)
		}
		_, commit := cloned(t, source.Spec.URL, data,
			onBranch(source.Spec.Reference.Branch))
		if commit.Hash.String() != h.ids["d"] {
			t.Errorf("commit %s", commit.Hash)
		}
	}
}

// Keys that Flux or ssh-keygen made may be used instead of ours.
func TestPrintsAKeyThatIsGiven(t *testing.T) {
	h := makeHistory(t, "given")
	file := filepath.Join(t.TempDir(), "identity")
	pair := makePair(t, ssh.ECDSA_P384)
	if err := os.WriteFile(file, pair.PrivateKey, 0o600); err != nil {
		t.Fatal(err)
	}
	objects := decode(t, server.cli(t, "flux", "secrets", h.repo,
		"--identity", file, "--url", server.sshURL("{name}")))
	cloned(t, server.sshURL(h.repo),
		secretsOf(objects)["flux-system/flux-system"], onBranch("main"))
}

// The manifests of the recipes.
func TestKnowsTheManifestsOfTheRecipes(t *testing.T) {
	text, err := os.ReadFile("../../hooks/flux.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(
		string(text), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d manifests", len(blocks))
	}
	for _, block := range blocks {
		decode(t, strings.TrimSpace(block[1]))
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package chart renders the chart as helm does and asks Kubernetes' own types
// and rules what they think of it.
package chart

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "../../chart"
	release   = "headwater"
	namespace = "headwater"
)

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render is what `helm template` would print, by the template's name.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	var given map[string]any
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	c := load(t)
	all, err := chartutil.ToRenderValues(c, given, chartutil.ReleaseOptions{
		Name: release, Namespace: namespace, Revision: 1,
		IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// publicKey is a line of a .pub file, another one for each number.
func publicKey(number byte) string {
	blob := append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"),
		make([]byte, 32)...)
	blob[len(blob)-1] = number
	return "ssh-ed25519 " + base64.StdEncoding.EncodeToString(blob) +
		" somebody"
}

var separator = regexp.MustCompile(`(?m)^---\n`)

// documents are the objects of a rendering, in the order of its templates.
func documents(files map[string]string) []string {
	var names, all []string
	for name := range files {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		for _, text := range separator.Split(files[name], -1) {
			if strings.TrimSpace(text) != "" {
				all = append(all, strings.TrimSpace(text)+"\n")
			}
		}
	}
	return all
}

func mustRender(t *testing.T, values string) map[string]string {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestIsWhatHelmRecommends(t *testing.T) {
	for _, message := range lint.All(chartDir, nil, namespace, true).Messages {
		if message.Severity > support.InfoSev {
			t.Error(message)
		}
	}
}

// The same is made of the same, and no secret is made at all: an upgrade
// changes nothing that somebody holds on to.
func TestMakesNothingUp(t *testing.T) {
	for name, values := range matrix(t) {
		first := documents(mustRender(t, values))
		second := documents(mustRender(t, values))
		if strings.Join(first, "") != strings.Join(second, "") {
			t.Errorf("%s: rendered twice, it differs", name)
		}
		for _, text := range first {
			if strings.Contains(text, "\nkind: Secret\n") {
				t.Errorf("%s: a Secret is rendered", name)
			}
		}
	}
}

func TestNotesSayWhatIsNext(t *testing.T) {
	notes := func(values string) string {
		return mustRender(t, values)["headwater/templates/NOTES.txt"]
	}
	key := "owners: {publicKeys: " + publicKey(1) + "}"
	for _, text := range []string{
		"kubectl -n headwater port-forward svc/headwater 2222:22",
		"exec headwater-0 -c headwaterd -- headwater known-hosts localhost:2222",
		"git push ssh://git@localhost:2222/cluster main",
		"headwater flux all cluster | kubectl apply -f -",
	} {
		if !strings.Contains(notes(key), text) {
			t.Errorf("the notes do not say %q:\n%s", text, notes(key))
		}
	}
	warning := "Nobody may push yet"
	if strings.Contains(notes(key), warning) || !strings.Contains(notes(""), warning) {
		t.Error("the notes know not whether anybody may push")
	}
}

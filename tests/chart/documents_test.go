// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// HEADWATER_UPDATE=1 writes what is made of the chart instead of comparing it.
func same(t *testing.T, path, wanted string) {
	t.Helper()
	if os.Getenv("HEADWATER_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(wanted), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if read(t, path) != wanted {
		t.Errorf("%s is not what the chart makes: HEADWATER_UPDATE=1 "+
			"go test ./... in tests/chart writes it", filepath.Base(path))
	}
}

func schema(t *testing.T) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(read(t, chartDir, "values.schema.json")),
		&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// -- the table ----------------------------------------------------------------

type value struct{ name, standard, text string }

func said(comment string) string {
	var words []string
	for _, line := range strings.Split(comment, "\n") {
		words = append(words, strings.TrimSpace(strings.TrimPrefix(line, "#")))
	}
	return strings.TrimPrefix(strings.Join(words, " "), "-- ")
}

// values of values.yaml: all that have a sentence, in its order.
func values(t *testing.T) []value {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, chartDir, "values.yaml")),
		&document); err != nil {
		t.Fatal(err)
	}
	var all []value
	var walk func(prefix string, node *yaml.Node)
	walk = func(prefix string, node *yaml.Node) {
		for i := 0; i < len(node.Content); i += 2 {
			key, what := node.Content[i], node.Content[i+1]
			name := prefix + key.Value
			comment := key.HeadComment
			if n := strings.LastIndex(comment, "\n\n"); n >= 0 {
				comment = comment[n+2:]
			}
			if strings.HasPrefix(comment, "# -- ") {
				var standard any
				if err := what.Decode(&standard); err != nil {
					t.Fatal(err)
				}
				text, _ := json.Marshal(standard)
				all = append(all, value{name, string(text), said(comment)})
			} else if what.Kind == yaml.MappingNode {
				walk(name+".", what)
			} else {
				t.Errorf("values.yaml: %s has no sentence", name)
			}
		}
	}
	walk("", document.Content[0])
	return all
}

func TestReadmeHasEveryValue(t *testing.T) {
	table := "| value | default | |\n|---|---|---|\n"
	for _, one := range values(t) {
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", one.name, one.standard,
			strings.ReplaceAll(one.text, "|", `\|`))
	}
	path := filepath.Join(chartDir, "README.md")
	part := regexp.MustCompile(`(?s)\| value \| default \| \|\n.*?\n\n`)
	if !part.MatchString(read(t, path)) {
		t.Fatal("README.md has no table of values")
	}
	same(t, path, part.ReplaceAllLiteralString(read(t, path), table+"\n"))
}

// A value that no template reads is a promise nobody keeps.
func TestEveryValueIsUsed(t *testing.T) {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(chartDir, "templates", "*"))
	more, _ := filepath.Glob(filepath.Join(chartDir, "templates", "*", "*"))
	for _, path := range append(files, more...) {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			text.WriteString(read(t, path))
		}
	}
	for _, one := range values(t) {
		parts := strings.Split(one.name, ".")
		if !strings.Contains(text.String(), "."+parts[len(parts)-1]) ||
			!strings.Contains(text.String(), ".Values."+parts[0]) {
			t.Errorf("no template reads %s", one.name)
		}
	}
}

func TestSchemaKnowsEveryValue(t *testing.T) {
	for _, one := range values(t) {
		node := schema(t)
		for _, part := range strings.Split(one.name, ".") {
			all, ok := node["properties"].(map[string]any)
			if ok {
				node, ok = all[part].(map[string]any)
			}
			if !ok {
				t.Errorf("values.schema.json has no %s", one.name)
				break
			}
		}
	}
}

// -- plain manifests ----------------------------------------------------------

const plainHead = `# Headwater without helm, made of the chart. It serves the repository
# "cluster" to whoever has a key in the Secret headwater-owners:
#
#   kubectl apply -f headwater.yaml
#   kubectl -n headwater create secret generic headwater-owners \
#       --from-file=$HOME/.ssh/id_ed25519.pub
apiVersion: v1
kind: Namespace
metadata:
  name: headwater
  labels:
    pod-security.kubernetes.io/enforce: restricted
`

var noise = regexp.MustCompile(`(?m)^ *(app\.kubernetes\.io/managed-by|helm\.sh/[a-z-]+): .*\n`)

func TestPlainManifestIsTheChart(t *testing.T) {
	all := []string{plainHead}
	for _, text := range documents(mustRender(t,
		"owners: {secret: headwater-owners}")) {
		if strings.Contains(text, "helm.sh/hook: test") {
			continue
		}
		text = noise.ReplaceAllString(text, "")
		// Of the annotations that were helm's nothing is left.
		text = regexp.MustCompile(`(?m)^  annotations:\n(?:    #.*\n)+`).
			ReplaceAllString(text, "")
		all = append(all, text)
	}
	same(t, filepath.Join(chartDir, "manifests", "headwater.yaml"),
		strings.Join(all, "---\n"))
	objects(t, documents(map[string]string{
		"plain.yaml": strings.Join(all[1:], "---\n")}))
}

// -- one version --------------------------------------------------------------

func TestVersionsAgree(t *testing.T) {
	version := regexp.MustCompile(`(?m)^  version: '(.*)',$`).
		FindStringSubmatch(read(t, "../../meson.build"))[1]
	for path, line := range map[string]string{
		"Chart.yaml":       "\nappVersion: " + version + "\n",
		"image/Dockerfile": "\nARG VERSION=" + version + "\n",
	} {
		if !strings.Contains(read(t, chartDir, path), line) {
			t.Errorf("%s is of another version than %s", path, version)
		}
	}
}

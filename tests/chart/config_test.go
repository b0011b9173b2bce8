// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// headwaterd is the program of HEADWATER_BUILD, or skips the test.
func headwaterd(t *testing.T) string {
	t.Helper()
	build := os.Getenv("HEADWATER_BUILD")
	if build == "" {
		t.Skip("HEADWATER_BUILD is not set")
	}
	return filepath.Join(build, "server", "app", "headwaterd")
}

// What a Secret of any name may hold in these tests, by the key.
func secretOf(key string) string {
	switch {
	case strings.HasSuffix(key, ".pub"):
		return publicKey(9) + "\n"
	case strings.HasSuffix(key, ".conf"):
		return "[limits]\n"
	default:
		return "5a" + strings.Repeat("0", 62)
	}
}

// A file where the kubelet would put it: behind a link to a directory that it
// swaps for another one.
func put(t *testing.T, volume, name, text string) {
	t.Helper()
	path := filepath.Join(volume, "..data", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	first := strings.Split(name, "/")[0]
	link := filepath.Join(volume, first)
	if _, err := os.Lstat(link); err == nil {
		return
	}
	if err := os.Symlink(filepath.Join("..data", first), link); err != nil {
		t.Fatal(err)
	}
}

func putAll(t *testing.T, volume string, items []corev1.KeyToPath,
	data func(string) string, without string) {
	t.Helper()
	for _, item := range items {
		put(t, volume, item.Path, data(item.Key))
	}
	if items == nil {
		put(t, volume, without, data(without))
	}
}

// mount makes the pod's volumes of configuration below `root`, in which the
// files name each other as they would in the pod.
func mount(t *testing.T, root string, all map[string]metav1.Object,
	spec *corev1.PodSpec) {
	t.Helper()
	for _, volume := range spec.Volumes {
		dir := filepath.Join(root, volume.Name)
		if volume.Secret != nil {
			putAll(t, dir, volume.Secret.Items, secretOf, "a.pub")
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.Secret != nil {
				putAll(t, dir, source.Secret.Items, secretOf, "b.conf")
				continue
			}
			of := func(key string) string {
				text := "[limits]\n"
				if map1, ok := all["ConfigMap/"+source.ConfigMap.Name]; ok {
					text = map1.(*corev1.ConfigMap).Data[key]
				}
				return strings.ReplaceAll(text, "/etc/headwater", root)
			}
			putAll(t, dir, source.ConfigMap.Items, of, "a.conf")
		}
	}
}

func TestServerTakesTheConfiguration(t *testing.T) {
	program := headwaterd(t)
	for name, values := range matrix(t) {
		t.Run(name, func(t *testing.T) {
			all := objects(t, documents(mustRender(t, values)))
			spec := &statefulSet(t, all).Spec.Template.Spec
			root := t.TempDir()
			mount(t, root, all, spec)
			words := []string{"check"}
			for _, word := range spec.Containers[0].Args {
				if path, ok := strings.CutPrefix(word, "--config=/etc/headwater"); ok {
					words = append(words, "--config="+root+path)
				}
			}
			out, err := exec.Command(program, words...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// -- the schema knows what the server knows -----------------------------------

func properties(t *testing.T, path ...string) map[string]any {
	t.Helper()
	var node any = schema(t)
	for _, name := range path {
		node = node.(map[string]any)[name]
	}
	return node.(map[string]any)
}

func compare(t *testing.T, what string, there, told map[string]bool) {
	t.Helper()
	for key := range there {
		if !told[key] {
			t.Errorf("values.schema.json has no %s.%s", what, key)
		}
	}
	for key := range told {
		if !there[key] {
			t.Errorf("%s.%s of values.schema.json is unknown to the server",
				what, key)
		}
	}
}

func keysOf(m map[string]any, without ...string) map[string]bool {
	keys := map[string]bool{}
	for key := range m {
		keys[key] = true
	}
	for _, key := range without {
		delete(keys, key)
	}
	return keys
}

func TestSchemaKnowsEveryKeyOfAnObject(t *testing.T) {
	text := read(t, "../../server/store/state_schema.c")
	table := regexp.MustCompile(`(?s)state_option (\w+)_options\[\] = \{(.*?)\n\};`)
	row := regexp.MustCompile(`\{ "([a-z-]+)", OPTION_`)
	there := map[string]map[string]bool{}
	for _, kind := range table.FindAllStringSubmatch(text, -1) {
		there[kind[1]] = map[string]bool{}
		for _, key := range row.FindAllStringSubmatch(kind[2], -1) {
			there[kind[1]][key[1]] = true
		}
	}
	for kind, value := range map[string]string{"repo": "repositories",
		"key": "keys", "token": "tokens", "hook": "hooks"} {
		told := keysOf(properties(t, "properties", value,
			"additionalProperties", "properties"), "secret", "bearer", "ca")
		// The chart writes those that name files.
		for _, key := range []string{"file", "secret-file", "bearer-file",
			"ca-file"} {
			delete(there[kind], key)
		}
		compare(t, value, there[kind], told)
	}
}

func TestSchemaKnowsEveryOption(t *testing.T) {
	out, err := exec.Command(headwaterd(t), "--print-config").Output()
	if err != nil {
		t.Fatal(err)
	}
	section, limits, _ := strings.Cut(string(out), "[limits]")
	option := regexp.MustCompile(`(?m)^\t; ([a-z-]+) = `)
	keys := func(text string) map[string]bool {
		found := map[string]bool{}
		for _, match := range option.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
		return found
	}
	server := keys(section)
	// The chart says these itself.
	for _, key := range []string{"ssh", "http", "https", "probe", "admin",
		"tls-cert", "tls-key", "name", "host-key", "drain-timeout"} {
		delete(server, key)
	}
	compare(t, "server", server,
		keysOf(properties(t, "properties", "server", "properties")))
	compare(t, "limits", keys(limits),
		keysOf(properties(t, "properties", "limits", "properties")))
}

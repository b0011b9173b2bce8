// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gitIn runs stock git in a work tree.
func gitIn(t *testing.T, dir string, words ...string) {
	t.Helper()
	command := exec.Command("git", append([]string{"-c", "user.name=a",
		"-c", "user.email=a@example.invalid"}, words...)...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", words, err, out)
	}
}

// One key reads both; the URL is relative, or names the server.
func TestChecksOutSubmodules(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	lib, app := makeHistory(t, "sub-lib"), makeHistory(t, "sub-app")
	server.cli(t, "key", "set", "sub-app", "read=sub-lib")
	for address, data := range map[string]map[string][]byte{
		server.sshURL("sub-lib"): secret(t, app.pair),
		"../sub-lib":             secret(t, app.pair)} {
		dir := app.writer.Path()
		if err := os.WriteFile(filepath.Join(dir, ".gitmodules"),
			[]byte("[submodule \"lib\"]\n\tpath = lib\n\turl = "+
				address+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		gitIn(t, dir, "add", ".gitmodules")
		gitIn(t, dir, "update-index", "--add", "--cacheinfo",
			"160000,"+lib.ids["b"]+",lib")
		gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "lib")
		push(t, app.writer)
		config := onBranch("main")
		config.RecurseSubmodules = true
		client, _ := cloned(t, server.sshURL("sub-app"), data, config)
		if got := contentOf(t, client, "lib/apps/file"); got != "b" {
			t.Errorf("%s: the submodule holds %q", address, got)
		}
	}
}

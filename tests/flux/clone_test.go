// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	extgogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/gogit"
	"github.com/fluxcd/pkg/git/repository"
	"github.com/fluxcd/pkg/ssh"
)

func files(name, content string) map[string]io.Reader {
	return map[string]io.Reader{name: strings.NewReader(content)}
}

// A history to be read: main is a, b, c, d; feature/x is one beside d.
type history struct {
	repo   string
	pair   *ssh.KeyPair
	writer *gogit.Client
	ids    map[string]string // by what `file` holds
}

func tag(t *testing.T, path, name, id, message string) {
	t.Helper()
	repo, err := extgogit.PlainOpen(path)
	if err != nil {
		t.Fatal(err)
	}
	var options *extgogit.CreateTagOptions
	if message != "" {
		options = &extgogit.CreateTagOptions{
			Message: message,
			Tagger: &object.Signature{Name: "Flux",
				Email: "flux@example.invalid", When: time.Now()},
		}
	}
	if _, err := repo.CreateTag(name, plumbing.NewHash(id),
		options); err != nil {
		t.Fatal(err)
	}
}

func makeHistory(t *testing.T, name string) *history {
	t.Helper()
	h := &history{repo: makeRepository(t, name, "--public"),
		ids: map[string]string{}}
	h.pair = register(t, name, ssh.ECDSA_P384, "--write", name)
	address := server.sshURL(name)
	w, _ := cloned(t, address, secret(t, h.pair), onBranch("main"))
	h.writer = w
	for _, content := range []string{"a", "b", "c", "d"} {
		h.ids[content] = commitFile(t, w, "apps/file", content)
	}
	push(t, w)
	tag(t, w.Path(), "v1.0.0", h.ids["a"], "")
	tag(t, w.Path(), "v1.2.0", h.ids["b"], "the second")
	tag(t, w.Path(), "v2.0.0-rc.1", h.ids["c"], "")
	tag(t, w.Path(), "nightly", h.ids["d"], "no version")
	push(t, w, "refs/tags/*:refs/tags/*",
		"refs/heads/main:refs/pull/7/head")
	if err := w.SwitchBranch(patience(t), "feature/x"); err != nil {
		t.Fatal(err)
	}
	h.ids["x"] = commitFile(t, w, "apps/file", "x")
	push(t, w)
	if err := w.SwitchBranch(patience(t), "main"); err != nil {
		t.Fatal(err)
	}
	return h
}

func onBranch(name string) repository.CloneConfig {
	return repository.CloneConfig{ShallowClone: true,
		CheckoutStrategy: repository.CheckoutStrategy{Branch: name}}
}

func onTag(name string) repository.CloneConfig {
	return repository.CloneConfig{ShallowClone: true,
		CheckoutStrategy: repository.CheckoutStrategy{Tag: name}}
}

func onVersion(constraint string) repository.CloneConfig {
	return repository.CloneConfig{ShallowClone: true,
		CheckoutStrategy: repository.CheckoutStrategy{
			SemVer: constraint}}
}

func onName(name string) repository.CloneConfig {
	return repository.CloneConfig{ShallowClone: true,
		CheckoutStrategy: repository.CheckoutStrategy{RefName: name}}
}

func onCommit(branch, id string) repository.CloneConfig {
	return repository.CloneConfig{ShallowClone: true,
		CheckoutStrategy: repository.CheckoutStrategy{Branch: branch,
			Commit: id}}
}

// Every `spec.ref` there is, and how often it can be found unchanged.
type source struct {
	name      string
	config    repository.CloneConfig
	content   string // of apps/file
	reference string // of the commit; with it the revision is said
	noop      bool
}

func sources(h *history) []source {
	heads, tags := "refs/heads/", "refs/tags/"
	return []source{
		{"branch", onBranch("main"), "d", heads + "main", true},
		{"branch with a slash", onBranch("feature/x"), "x",
			heads + "feature/x", true},
		{"light tag", onTag("v1.0.0"), "a", tags + "v1.0.0", true},
		{"annotated tag", onTag("v1.2.0"), "b", tags + "v1.2.0", true},
		{"semver", onVersion("1.x"), "b", tags + "v1.2.0", false},
		{"semver of one light tag", onVersion("<1.1"), "a",
			tags + "v1.0.0", false},
		{"semver with prereleases", onVersion(">=1.0.0-0"), "c",
			tags + "v2.0.0-rc.1", false},
		{"name of a branch", onName(heads + "main"), "d",
			heads + "main", true},
		{"name of a light tag", onName(tags + "v1.0.0"), "a",
			tags + "v1.0.0", true},
		{"name of an annotated tag", onName(tags + "nightly"), "d",
			tags + "nightly", true},
		{"name of a peeled tag", onName(tags + "v1.2.0^{}"), "b",
			tags + "v1.2.0^{}", true},
		{"name of neither", onName("refs/pull/7/head"), "d",
			"refs/pull/7/head", true},
		{"commit of a branch", onCommit("main", h.ids["b"]), "b",
			heads + "main", false},
		{"commit", onCommit("", h.ids["x"]), "x", "HEAD", false},
	}
}

// want: the source's commit and its files are there.
func (s *source) want(t *testing.T, h *history, client *gogit.Client,
	commit *git.Commit) {
	t.Helper()
	if got := commit.Hash.String(); got != h.ids[s.content] {
		t.Errorf("commit %s instead of %s", got, h.ids[s.content])
	}
	if !git.IsConcreteCommit(*commit) {
		t.Error("the commit is not concrete")
	}
	if commit.Reference != s.reference {
		t.Errorf("reference %q instead of %q", commit.Reference,
			s.reference)
	}
	if got := contentOf(t, client, "apps/file"); got != s.content {
		t.Errorf("the file holds %q instead of %q", got, s.content)
	}
	if clean, err := client.IsClean(); err != nil || !clean {
		t.Errorf("the work tree is not clean (%v)", err)
	}
}

// wantNoop: asked again with what it has, the client clones nothing.
func (s *source) wantNoop(t *testing.T, h *history, address string,
	data map[string][]byte, revision string) {
	t.Helper()
	config := s.config
	config.LastObservedCommit = revision
	_, commit := cloned(t, address, data, config)
	if git.IsConcreteCommit(*commit) == s.noop {
		t.Errorf("unchanged %s: concrete %v", revision, !s.noop)
	}
	if got := commit.Hash.String(); got != h.ids[s.content] {
		t.Errorf("unchanged, yet %s instead of %s", got,
			h.ids[s.content])
	}
}

func TestReadsEverySource(t *testing.T) {
	h := makeHistory(t, "sources")
	doors := map[string]struct {
		address string
		data    map[string][]byte
	}{
		"ssh":  {server.sshURL(h.repo), secret(t, h.pair)},
		"http": {server.httpURL(h.repo), nil},
		"ssh, .git": {server.sshURL(h.repo + ".git"),
			secret(t, h.pair)},
		"http, .git": {server.httpURL(h.repo + ".git"), nil},
	}
	for door, at := range doors {
		for _, s := range sources(h) {
			t.Run(door+"/"+s.name, func(t *testing.T) {
				client, commit := cloned(t, at.address, at.data,
					s.config)
				s.want(t, h, client, commit)
				revision := commit.String()
				if s.config.RefName != "" {
					revision = commit.AbsoluteReference()
				}
				s.wantNoop(t, h, at.address, at.data, revision)
			})
		}
	}
}

func TestGivesAnnotatedTagsTheirObject(t *testing.T) {
	h := makeHistory(t, "tags")
	for name, message := range map[string]string{"v1.0.0": "",
		"v1.2.0": "the second"} {
		_, commit := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
			onTag(name))
		object := commit.ReferencingTag
		if annotated := object != nil && git.IsAnnotatedTag(*object); annotated != (message != "") {
			t.Errorf("%s: annotated %v", name, annotated)
		}
		if message != "" && strings.TrimSpace(object.Message) != message {
			t.Errorf("%s says %q", name, object.Message)
		}
	}
}

func TestNoticesAChange(t *testing.T) {
	h := makeHistory(t, "changes")
	address, data := server.sshURL(h.repo), secret(t, h.pair)
	_, before := cloned(t, address, data, onBranch("main"))
	h.ids["e"] = commitFile(t, h.writer, "apps/file", "e")
	push(t, h.writer)
	config := onBranch("main")
	config.LastObservedCommit = before.String()
	client, after := cloned(t, address, data, config)
	s := source{content: "e", reference: "refs/heads/main"}
	s.want(t, h, client, after)
}

func count(t *testing.T, client *gogit.Client) int {
	t.Helper()
	repo, err := extgogit.PlainOpen(client.Path())
	if err != nil {
		t.Fatal(err)
	}
	commits, err := repo.CommitObjects()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := commits.ForEach(func(*object.Commit) error {
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestClonesOneCommitOrAllOfABranch(t *testing.T) {
	h := makeHistory(t, "depths")
	config := onBranch("main")
	for shallow, commits := range map[bool]int{true: 1, false: 4} {
		config.ShallowClone = shallow
		client, _ := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
			config)
		if n := count(t, client); n != commits {
			t.Errorf("shallow %v: %d commits", shallow, n)
		}
	}
}

func TestChecksOutSparsely(t *testing.T) {
	h := makeHistory(t, "sparse")
	commitFile(t, h.writer, "other/file", "not wanted")
	push(t, h.writer)
	config := onBranch("main")
	config.SparseCheckoutDirectories = []string{"apps"}
	client, _ := cloned(t, server.sshURL(h.repo), secret(t, h.pair), config)
	if got := contentOf(t, client, "apps/file"); got != "d" {
		t.Errorf("the file holds %q", got)
	}
	if _, err := os.Stat(filepath.Join(client.Path(),
		"other")); !os.IsNotExist(err) {
		t.Errorf("what was not asked for is there, too (%v)", err)
	}
}

func TestKnowsEveryKindOfKeyFluxMakes(t *testing.T) {
	h := makeHistory(t, "kinds")
	for _, kind := range []ssh.KeyPairType{ssh.RSA_4096, ssh.ECDSA_P256,
		ssh.ECDSA_P384, ssh.ECDSA_P521, ssh.ED25519} {
		t.Run(string(kind), func(t *testing.T) {
			pair := register(t, "kinds-"+string(kind), kind,
				"--read", h.repo)
			_, commit := cloned(t, server.sshURL(h.repo),
				secret(t, pair), onBranch("main"))
			if commit.Hash.String() != h.ids["d"] {
				t.Errorf("commit %s", commit.Hash)
			}
		})
	}
}

// The scan of `flux bootstrap` and `flux create secret git`.
func TestShowsTheScanTheHostKeyThatItPrints(t *testing.T) {
	scanned, err := ssh.ScanHostKey(server.doors["ssh"], startPatience, nil,
		false)
	if err != nil {
		t.Fatal(err)
	}
	printed := strings.TrimSpace(string(server.knownHosts(t)))
	if got := strings.TrimSpace(string(scanned)); got != printed {
		t.Errorf("scanned %q, printed %q", got, printed)
	}
}

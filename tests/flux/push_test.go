// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"math/rand"
	"strings"
	"sync"
	"testing"

	"github.com/fluxcd/pkg/git/gogit"
	"github.com/fluxcd/pkg/git/repository"
	"github.com/fluxcd/pkg/ssh"
)

// wantTip: what a new client finds at the branch.
func (h *history) wantTip(t *testing.T, branch, id string) {
	t.Helper()
	_, commit := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
		onBranch(branch))
	if got := commit.Hash.String(); got != id {
		t.Errorf("%s is at %s instead of %s", branch, got, id)
	}
}

func (h *history) clone(t *testing.T) *gogit.Client {
	t.Helper()
	client, _ := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
		onBranch("main"))
	return client
}

// The git part of `flux bootstrap git`, and once more over what is there.
func TestBootstraps(t *testing.T) {
	h := &history{repo: makeRepository(t, "bootstrap")}
	h.pair = register(t, h.repo, ssh.ECDSA_P384, "--write", h.repo)
	for _, content := range []string{"first", "second"} {
		client, _ := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
			repository.CloneConfig{
				CheckoutStrategy: repository.CheckoutStrategy{
					Branch: "main"}})
		for _, file := range []string{"gotk-components.yaml",
			"gotk-sync.yaml"} {
			id := commitFile(t, client, "clusters/c1/flux-system/"+file,
				content)
			push(t, client)
			h.wantTip(t, "main", id)
		}
	}
}

// HEAD must not dangle, or semver and commit sources fail ever after.
func TestTakesTheFirstBranchForHEAD(t *testing.T) {
	h := &history{repo: makeRepository(t, "trunk")}
	h.pair = register(t, h.repo, ssh.ECDSA_P384, "--write", h.repo)
	address, data := server.sshURL(h.repo), secret(t, h.pair)
	client, _ := cloned(t, address, data, onBranch("trunk"))
	id := commitFile(t, client, "file", "a")
	tag(t, client.Path(), "v1.0.0", id, "")
	push(t, client, "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*")
	for _, config := range []repository.CloneConfig{onBranch("trunk"),
		onVersion("1.x"), onCommit("", id), onName("refs/tags/v1.0.0")} {
		if _, commit := cloned(t, address, data,
			config); commit.Hash.String() != id {
			t.Errorf("commit %s", commit.Hash)
		}
	}
}

func TestTakesAPushFromAShallowClone(t *testing.T) {
	h := makeHistory(t, "shallow")
	client := h.clone(t)
	id := commitFile(t, client, "apps/file", "e")
	push(t, client)
	h.wantTip(t, "main", id)
}

// A pack without objects.
func TestTakesANewBranchOnAnOldCommit(t *testing.T) {
	h := makeHistory(t, "branches")
	push(t, h.clone(t), "refs/heads/main:refs/heads/other")
	h.wantTip(t, "other", h.ids["d"])
}

func TestDeletesABranch(t *testing.T) {
	h := makeHistory(t, "deletions")
	push(t, h.writer, ":refs/heads/feature/x")
	_, _, err := clone(t, server.sshURL(h.repo), secret(t, h.pair),
		onBranch("feature/x"))
	wantError(t, err, `couldn't find remote ref "refs/heads/feature/x"`)
}

func TestTakesPushOptions(t *testing.T) {
	h := makeHistory(t, "options")
	for _, options := range []map[string]string{{}, {"ci.skip": ""},
		{"a": "b", "merge_request.create": "true"}} {
		id := commitFile(t, h.writer, "apps/file",
			strings.Repeat("o", len(options)))
		if err := h.writer.Push(patience(t), repository.PushConfig{
			Options: options}); err != nil {
			t.Fatalf("%v: %v", options, err)
		}
		h.wantTip(t, "main", id)
	}
}

// image-automation-controller: two clones of the same, both changed.
func TestForcesWhatAStaleCloneMayNotPush(t *testing.T) {
	h := makeHistory(t, "forced")
	// With history the client sees for itself that it is behind.
	stale, _ := cloned(t, server.sshURL(h.repo), secret(t, h.pair),
		repository.CloneConfig{
			CheckoutStrategy: repository.CheckoutStrategy{Branch: "main"}})
	theirs := commitFile(t, h.writer, "apps/file", "theirs")
	push(t, h.writer)
	mine := commitFile(t, stale, "apps/file", "mine")
	err := stale.Push(patience(t), repository.PushConfig{})
	wantError(t, err, "failed to push to remote: ",
		"non-fast-forward update: refs/heads/main")
	h.wantTip(t, "main", theirs)
	if err := stale.Push(patience(t), repository.PushConfig{
		Force: true}); err != nil {
		t.Fatal(err)
	}
	h.wantTip(t, "main", mine)
}

func TestSaysThatABranchIsProtected(t *testing.T) {
	h := makeHistory(t, "protected")
	server.cli(t, "repo", "set", h.repo, "protect-branch=main")
	stale := h.clone(t)
	theirs := commitFile(t, h.writer, "apps/file", "theirs")
	push(t, h.writer) // a fast-forward is none of its business
	commitFile(t, stale, "apps/file", "mine")
	err := stale.Push(patience(t), repository.PushConfig{Force: true})
	wantError(t, err, "failed to push to remote: command error on "+
		"refs/heads/main: ", "branch main is protected")
	h.wantTip(t, "main", theirs)
}

// Much more than a window of the channel, in both directions.
func TestCarriesALargeFile(t *testing.T) {
	h := makeHistory(t, "large")
	noise := make([]byte, 8<<20)
	rand.New(rand.NewSource(1)).Read(noise)
	commitFile(t, h.writer, "large", string(noise))
	push(t, h.writer)
	for address, data := range map[string]map[string][]byte{
		server.sshURL(h.repo):  secret(t, h.pair),
		server.httpURL(h.repo): nil} {
		client, _ := cloned(t, address, data, onBranch("main"))
		if contentOf(t, client, "large") != string(noise) {
			t.Errorf("%s gives something else", address)
		}
	}
}

// As many sessions as a cluster's controllers hold at once.
func TestServesManyClientsAtOnce(t *testing.T) {
	h := makeHistory(t, "crowd")
	address, data := server.sshURL(h.repo), secret(t, h.pair)
	var all sync.WaitGroup
	for range 12 {
		client := newClient(t, address, data)
		ctx := patience(t)
		all.Go(func() {
			commit, err := client.Clone(ctx, address, onVersion("1.x"))
			if err != nil {
				t.Error(err)
			} else if commit.Hash.String() != h.ids["b"] {
				t.Errorf("commit %s", commit.Hash)
			}
		})
	}
	all.Wait()
}

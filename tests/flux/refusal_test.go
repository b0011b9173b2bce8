// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/repository"
	"github.com/fluxcd/pkg/ssh"
)

const anyID = "0123456789012345678901234567890123456789"

func isNotFound(err error) bool {
	var notFound git.ErrRepositoryNotFound
	return errors.As(err, &notFound)
}

// source-controller says EmptyGitRepository; bootstrap starts from here.
func TestClonesNothingOfAnEmptyRepository(t *testing.T) {
	name := makeRepository(t, "empty", "--public")
	pair := register(t, name, ssh.ECDSA_P384, "--read", name)
	for address, data := range map[string]map[string][]byte{
		server.sshURL(name): secret(t, pair), server.httpURL(name): nil} {
		_, commit, err := clone(t, address, data, onBranch("main"))
		if commit != nil || err != nil {
			t.Errorf("commit %v, error %v", commit, err)
		}
		for _, config := range []repository.CloneConfig{
			onTag("v1"), onVersion("1.x"), onCommit("", anyID)} {
			_, _, err = clone(t, address, data, config)
			if !isNotFound(err) {
				t.Errorf("%+v: %v", config.CheckoutStrategy, err)
			}
			wantError(t, err, "remote repository is empty")
		}
		_, _, err = clone(t, address, data, onName("refs/heads/main"))
		wantError(t, err, "remote repository is empty")
	}
}

func TestSaysWhatIsNotInARepository(t *testing.T) {
	h := makeHistory(t, "lacking")
	for address, data := range map[string]map[string][]byte{
		server.sshURL(h.repo):  secret(t, h.pair),
		server.httpURL(h.repo): nil} {
		for text, config := range map[string]repository.CloneConfig{
			`couldn't find remote ref "refs/heads/nosuch"`: onBranch(
				"nosuch"),
			`couldn't find remote ref "refs/tags/nosuch"`: onTag(
				"nosuch"),
			"no match found for semver: ^3": onVersion("^3"),
			"unable to resolve ref 'refs/heads/nosuch' to a specific " +
				"commit": onName("refs/heads/nosuch"),
			"object not found": onCommit("", anyID),
		} {
			_, _, err := clone(t, address, data, config)
			wantError(t, err, text)
		}
	}
}

// denied: Flux must not tell what is absent from what is forbidden, and must
// show our sentence instead of a phrase of its own.
func denied(t *testing.T, err error, repo, key, verb string) {
	t.Helper()
	wantError(t, err, fmt.Sprintf("no repository '%s' that key '%s' may "+
		"%s; `headwater repo list` and `headwater key show %s` say what "+
		"there is", repo, key, verb, key))
	if isNotFound(err) {
		t.Errorf("our text is lost: %v", err)
	}
}

func TestSaysThatARepositoryIsAbsentOrForbidden(t *testing.T) {
	server.cli(t, "repo", "set", makeHistory(t, "forbidden").repo,
		"public=false")
	own := makeRepository(t, "own")
	pair := register(t, "visitor", ssh.ECDSA_P384, "--read", own)
	for _, name := range []string{"forbidden", "absent"} {
		address := server.sshURL(name)
		config := onBranch("main")
		_, _, err := clone(t, address, secret(t, pair), config)
		denied(t, err, name, "visitor", "read")
		config.LastObservedCommit = "main@sha1:" + anyID
		_, _, err = clone(t, address, secret(t, pair), config)
		denied(t, err, name, "visitor", "read")
		wantError(t, err, "unable to list remote for '"+address+"'")
	}
}

func TestSaysThatAKeyMayOnlyRead(t *testing.T) {
	h := makeHistory(t, "readonly")
	pair := register(t, "readonly-reader", ssh.ECDSA_P384, "--read", h.repo)
	client, _ := cloned(t, server.sshURL(h.repo), secret(t, pair),
		onBranch("main"))
	commitFile(t, client, "apps/file", "mine")
	err := client.Push(patience(t), repository.PushConfig{})
	wantError(t, err, "failed to push to remote: key 'readonly-reader' may "+
		"only read '"+h.repo+"'")
}

func TestRefusesAKeyThatItDoesNotKnow(t *testing.T) {
	h := makeHistory(t, "stranger")
	stranger := makePair(t, ssh.ECDSA_P384)
	_, _, err := clone(t, server.sshURL(h.repo), secret(t, stranger),
		onBranch("main"))
	wantError(t, err, "unable to clone '"+server.sshURL(h.repo)+"': ssh: "+
		"handshake failed: ssh: unable to authenticate, attempted methods "+
		"[none publickey], no supported methods remain")
}

func TestIsNotTrustedWithoutItsHostKey(t *testing.T) {
	h := makeHistory(t, "hosts")
	other := strings.TrimSpace(string(makePair(t, ssh.ED25519).PublicKey))
	host := strings.Fields(string(server.knownHosts(t)))[0]
	for text, line := range map[string]string{
		"knownhosts: key mismatch":   host + " " + other,
		"knownhosts: key is unknown": "[git.example]:22 " + other,
	} {
		data := secret(t, h.pair)
		data["known_hosts"] = []byte(line + "\n")
		_, _, err := clone(t, server.sshURL(h.repo), data,
			onBranch("main"))
		wantError(t, err, text)
	}
}

// Hosts of other kinds in the Secret must not make ours a matter of luck.
func TestIsTrustedBesideOtherHosts(t *testing.T) {
	h := makeHistory(t, "beside")
	data := secret(t, h.pair)
	for _, kind := range []ssh.KeyPairType{ssh.ECDSA_P256, ssh.RSA_4096} {
		data["known_hosts"] = append(data["known_hosts"],
			"git.example "+string(makePair(t, kind).PublicKey)...)
	}
	for range 16 { // the order of the client's list is random
		cloned(t, server.sshURL(h.repo), data, onBranch("main"))
	}
}

func TestWantsATokenForAPrivateRepositoryOverHTTP(t *testing.T) {
	h := makeHistory(t, "private")
	server.cli(t, "repo", "set", h.repo, "public=false")
	token := strings.TrimSpace(server.cli(t, "token", "create", "private",
		"--read", h.repo))
	address := server.httpURL(h.repo)
	password := func(word string) map[string][]byte {
		return map[string][]byte{"username": []byte("flux"),
			"password": []byte(word)}
	}
	for _, data := range []map[string][]byte{password(token),
		{"bearerToken": []byte(token)}} {
		_, commit := cloned(t, address, data, onBranch("main"))
		if commit.Hash.String() != h.ids["d"] {
			t.Errorf("commit %s", commit.Hash)
		}
	}
	for _, data := range []map[string][]byte{nil, password("wrong"),
		{"bearerToken": []byte("wrong")}} {
		_, _, err := clone(t, address, data, onBranch("main"))
		wantError(t, err, "unable to clone", "authentication required: ")
	}
	_, _, err := clone(t, server.httpURL("absent"), password(token),
		onBranch("main"))
	wantError(t, err, "unable to clone", "repository not found: no "+
		"repository that this token may read has this name")
}

func TestReadsAPublicRepositoryWithNeedlessCredentials(t *testing.T) {
	h := makeHistory(t, "needless")
	cloned(t, server.httpURL(h.repo), map[string][]byte{
		"username": []byte("git"), "password": {}}, onBranch("main"))
}

func TestTakesNoPushOverHTTP(t *testing.T) {
	h := makeHistory(t, "readable")
	client, _ := cloned(t, server.httpURL(h.repo), nil, onBranch("main"))
	commitFile(t, client, "apps/file", "mine")
	err := client.Push(patience(t), repository.PushConfig{})
	wantError(t, err, "failed to push to remote: authorization failed: ",
		"ssh")
}

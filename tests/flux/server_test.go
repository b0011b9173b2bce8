// SPDX-License-Identifier: Apache-2.0

// Package flux holds Flux's own git client (fluxcd/pkg/git/gogit, the code
// that source-controller, image-automation-controller and `flux bootstrap`
// run) against a real headwaterd.
//
// One daemon serves all tests; each test has repositories and keys of its
// own. The binaries come from the build directory HEADWATER_BUILD.
package flux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/gogit"
	"github.com/fluxcd/pkg/git/repository"
	"github.com/fluxcd/pkg/ssh"
)

const (
	startPatience = 30 * time.Second
	stopPatience  = 30 * time.Second
	logLineMax    = 1 << 20 // bytes
	// GitRepository's default spec.timeout
	operationPatience = 60 * time.Second
)

// daemon is a headwaterd on free ports and a throw-away directory.
type daemon struct {
	build   string
	data    string
	process *exec.Cmd
	doors   map[string]string // ssh, http, probe: address

	ended chan struct{} // the log is whole

	lock sync.Mutex
	log  []string
}

var server *daemon

func TestMain(m *testing.M) {
	// Pdeathsig is about the thread that starts the daemon.
	runtime.LockOSThread()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "headwater-flux-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if server, err = startDaemon(dir); err != nil {
		fmt.Fprintln(os.Stderr, "headwaterd does not start:", err)
		return 1
	}
	code := m.Run()
	if err := server.stop(); err != nil {
		fmt.Fprintf(os.Stderr, "headwaterd does not end well: %v\n%s\n",
			err, server.logged())
		return 1
	}
	return code
}

func startDaemon(dir string) (*daemon, error) {
	return startDaemonAt(dir, "127.0.0.1:0", "127.0.0.1:0")
}

func startDaemonAt(dir, sshAddress, httpAddress string) (*daemon, error) {
	build, err := filepath.Abs(os.Getenv("HEADWATER_BUILD"))
	if os.Getenv("HEADWATER_BUILD") == "" {
		build, err = filepath.Abs("../../build")
	}
	if err != nil {
		return nil, err
	}
	d := &daemon{build: build, data: filepath.Join(dir, "data"),
		ended: make(chan struct{})}
	d.process = exec.Command(
		filepath.Join(build, "server", "app", "headwaterd"), "serve",
		"--data", d.data, "--ssh", sshAddress,
		"--http", httpAddress, "--probe", "127.0.0.1:0")
	// However these tests end, the daemon does not outlive them.
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	stderr, err := d.process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.process.Start(); err != nil {
		return nil, err
	}
	ready := make(chan map[string]string, 1)
	go d.read(bufio.NewScanner(stderr), ready)
	select {
	case d.doors = <-ready:
	case <-time.After(startPatience):
	}
	if d.doors["ssh"] == "" || d.doors["http"] == "" {
		d.process.Process.Kill()
		<-d.ended
		d.process.Wait()
		return nil, fmt.Errorf("no ready line:\n%s", d.logged())
	}
	return d, nil
}

var door = regexp.MustCompile(`\b(ssh|http|probe)=(\S+)`)

// read keeps the log; the bound addresses go to ready, nil if there are none.
func (d *daemon) read(lines *bufio.Scanner, ready chan<- map[string]string) {
	defer close(d.ended)
	defer close(ready)
	lines.Buffer(nil, logLineMax)
	for said := false; lines.Scan(); {
		d.lock.Lock()
		d.log = append(d.log, lines.Text())
		d.lock.Unlock()
		if said || !strings.Contains(lines.Text(), "event=ready") {
			continue
		}
		said = true
		doors := map[string]string{}
		for _, m := range door.FindAllStringSubmatch(lines.Text(), -1) {
			doors[m[1]] = m[2]
		}
		ready <- doors
	}
}

func (d *daemon) logged() string {
	d.lock.Lock()
	defer d.lock.Unlock()
	return strings.Join(d.log, "\n")
}

// stop asks the daemon to end; its exit code and its sanitizers' words count.
func (d *daemon) stop() error {
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(stopPatience, func() { d.process.Process.Kill() })
	defer timer.Stop()
	<-d.ended
	if err := d.process.Wait(); err != nil {
		return err
	}
	for _, report := range []string{"Sanitizer", "runtime error:"} {
		if strings.Contains(d.logged(), report) {
			return errors.New(report)
		}
	}
	return nil
}

// cli is what an admin verb that must succeed prints.
func (d *daemon) cli(t *testing.T, words ...string) string {
	t.Helper()
	socket := filepath.Join(d.data, "run", "admin.sock")
	command := exec.Command(filepath.Join(d.build, "admin", "headwater"),
		append([]string{"--socket", socket}, words...)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("headwater %v: %v: %s", words, err, stderr.String())
	}
	return string(out)
}

func (d *daemon) sshURL(repo string) string {
	return "ssh://git@" + d.doors["ssh"] + "/" + repo
}

func (d *daemon) httpURL(repo string) string {
	return "http://" + d.doors["http"] + "/" + repo
}

func (d *daemon) knownHosts(t *testing.T) []byte {
	t.Helper()
	return []byte(d.cli(t, "known-hosts", d.doors["ssh"]))
}

// fsck is stock git's opinion, where there is a stock git.
func (d *daemon) fsck(t *testing.T, repo string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		return
	}
	command := exec.Command("git", "-c", "safe.directory=*", "fsck", "--full",
		"--strict", "--no-dangling")
	command.Dir = filepath.Join(d.data, "repos", repo+".git")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("git fsck of %s: %v: %s", repo, err, out)
	}
}

// makeRepository has it checked once the test is over.
func makeRepository(t *testing.T, name string, options ...string) string {
	t.Helper()
	server.cli(t, append([]string{"repo", "create", name}, options...)...)
	d := server
	t.Cleanup(func() { d.fsck(t, name) })
	return name
}

func makePair(t *testing.T, kind ssh.KeyPairType) *ssh.KeyPair {
	t.Helper()
	pair, err := ssh.GenerateKeyPair(kind)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// register gives a new key of `kind` rights: "--read", pattern, ...
func register(t *testing.T, name string, kind ssh.KeyPairType,
	rights ...string) *ssh.KeyPair {
	t.Helper()
	pair := makePair(t, kind)
	file := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, pair.PublicKey, 0o600); err != nil {
		t.Fatal(err)
	}
	server.cli(t, append([]string{"key", "create", name, "--public-key",
		file}, rights...)...)
	return pair
}

// secret is the Secret of a GitRepository with `secretRef`.
func secret(t *testing.T, pair *ssh.KeyPair) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"identity":     pair.PrivateKey,
		"identity.pub": pair.PublicKey,
		"known_hosts":  server.knownHosts(t),
	}
}

// newClient is made as the controllers make theirs.
func newClient(t *testing.T, address string,
	data map[string][]byte) *gogit.Client {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := git.NewAuthOptions(*u, data)
	if err != nil {
		t.Fatal(err)
	}
	client, err := gogit.NewClient(t.TempDir(), auth,
		gogit.WithDiskStorage(), gogit.WithInsecureCredentialsOverHTTP())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(),
		operationPatience)
	t.Cleanup(cancel)
	return ctx
}

// clone is a clone by a client of its own.
func clone(t *testing.T, address string, data map[string][]byte,
	config repository.CloneConfig) (*gogit.Client, *git.Commit, error) {
	t.Helper()
	client := newClient(t, address, data)
	commit, err := client.Clone(patience(t), address, config)
	return client, commit, err
}

func cloned(t *testing.T, address string, data map[string][]byte,
	config repository.CloneConfig) (*gogit.Client, *git.Commit) {
	t.Helper()
	client, commit, err := clone(t, address, data, config)
	if err != nil {
		t.Fatal(err)
	}
	return client, commit
}

func commitFile(t *testing.T, client *gogit.Client, name,
	content string) string {
	t.Helper()
	id, err := client.Commit(git.Commit{
		Author:  git.Signature{Name: "Flux", Email: "flux@example.invalid"},
		Message: "Change " + name,
	}, repository.WithFiles(files(name, content)))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func push(t *testing.T, client *gogit.Client, refspecs ...string) {
	t.Helper()
	err := client.Push(patience(t), repository.PushConfig{
		Refspecs: refspecs})
	if err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, client *gogit.Client, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(client.Path(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// wantError: `err` must say every one of `texts`.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, though %q was to be said", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

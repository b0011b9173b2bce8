// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/gogit"
)

const (
	crowd        = 50
	crowdSeconds = 4 * time.Second // HEADWATER_FLUX_CROWD: another time
)

func crowdTime(t *testing.T) time.Duration {
	text := os.Getenv("HEADWATER_FLUX_CROWD")
	if text == "" {
		return crowdSeconds
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What a client may hear of a server that stops and comes back.
func isRestart(err error) bool {
	for _, text := range []string{"connection refused", "EOF",
		"connection reset", "broken pipe", "unexpected packet",
		"use of closed network connection",
		"server closed idle connection"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// poll is one reconciliation: nothing is shared with any other.
func poll(dir, address string, options *git.AuthOptions,
	last string) (string, error) {
	client, err := gogit.NewClient(dir, options, gogit.WithDiskStorage(),
		gogit.WithInsecureCredentialsOverHTTP())
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(),
		operationPatience)
	defer cancel()
	config := onBranch("main")
	config.LastObservedCommit = last
	commit, err := client.Clone(ctx, address, config)
	if err != nil {
		return "", err
	}
	return commit.String(), nil
}

// 50 sources of a cluster, half of them over HTTP, and a restart in between:
// nobody fails but while the server is away, and nobody waits for ever.
func TestServesACrowdOverARestart(t *testing.T) {
	runtime.LockOSThread() // Pdeathsig again
	defer runtime.UnlockOSThread()
	dir := t.TempDir()
	d, err := startDaemon(dir)
	if err != nil {
		t.Fatal(err)
	}
	outside := server
	server = d
	h := makeHistory(t, "crowd")
	data := secret(t, h.pair)
	addresses := []string{d.sshURL(h.repo), d.httpURL(h.repo)}
	server = outside

	var done, during atomic.Int64
	var isAway atomic.Bool
	var crew sync.WaitGroup
	stop := make(chan struct{})
	failures := make(chan error, crowd)
	for i := range crowd {
		address := addresses[i%2]
		place := t.TempDir()
		options, err := authOf(address, data)
		if err != nil {
			t.Fatal(err)
		}
		crew.Add(1)
		go func() {
			defer crew.Done()
			last := ""
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				dir := filepath.Join(place, string(rune('a'+n%26)))
				was := isAway.Load()
				commit, err := poll(dir, address, options, last)
				os.RemoveAll(dir)
				switch {
				case err == nil:
					done.Add(1)
					if n%3 == 0 { // some read anew, most look
						commit = ""
					}
					last = commit
				case (was || isAway.Load()) && isRestart(err):
					during.Add(1)
					time.Sleep(10 * time.Millisecond)
				default:
					failures <- err
					return
				}
			}
		}()
	}
	half := crowdTime(t) / 2
	time.Sleep(half)
	before := done.Load()
	isAway.Store(true)
	if err := d.stop(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	again, err := startDaemonAt(dir, d.doors["ssh"], d.doors["http"])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // what began before may fail still
	isAway.Store(false)
	time.Sleep(half)
	close(stop)
	crew.Wait()
	after := done.Load() - before
	if err := again.stop(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	close(failures)
	for err := range failures {
		t.Errorf("a client fails: %v", err)
	}
	if before == 0 || after == 0 {
		t.Errorf("%d reconciliations before and %d after", before, after)
	}
	t.Logf("%d reconciliations before the restart, %d after, %d tries "+
		"while it was away", before, after, during.Load())
}

func authOf(address string, data map[string][]byte) (*git.AuthOptions, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" {
		data = nil
	}
	return git.NewAuthOptions(*u, data)
}

// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"io"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fluxcd/pkg/ssh"
	"github.com/fluxcd/pkg/ssh/knownhosts"
)

func dial(t *testing.T, pair *ssh.KeyPair) *gossh.Client {
	t.Helper()
	signer, err := gossh.ParsePrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	callback, algorithms, err := knownhosts.New(server.knownHosts(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := gossh.Dial("tcp", server.doors["ssh"],
		&gossh.ClientConfig{
			User:              "git",
			Auth:              []gossh.AuthMethod{gossh.PublicKeys(signer)},
			HostKeyCallback:   callback,
			HostKeyAlgorithms: algorithms,
		})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// go-git ends its input after its last byte, which may be after our last one,
// and calls everything failed when the channel is closed by then.
func TestLetsASlowClientEndItsInput(t *testing.T) {
	h := makeHistory(t, "slow")
	for _, service := range []string{"upload", "receive"} {
		session, err := dial(t, h.pair).NewSession()
		if err != nil {
			t.Fatal(err)
		}
		in, _ := session.StdinPipe()
		out, _ := session.StdoutPipe()
		if err := session.Start("git-" + service + "-pack '/" + h.repo +
			"'"); err != nil {
			t.Fatal(err)
		}
		io.WriteString(in, "0000")
		if _, err := io.ReadAll(out); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // the client is slow
		if err := in.Close(); err != nil {
			t.Errorf("%s-pack: %v", service, err)
		}
		began := time.Now()
		if err := session.Wait(); err != nil {
			t.Errorf("%s-pack: %v", service, err)
		}
		if waited := time.Since(began); waited > time.Second/2 {
			t.Errorf("%s-pack: ends %v late", service, waited)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"net"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fluxcd/pkg/ssh/knownhosts"
)

// Every form of a name that Flux may look up, by Flux's own reader.
func TestIsKnownUnderEveryFormOfItsNames(t *testing.T) {
	lines := server.cli(t, "known-hosts", "hw.git.svc.cluster.local",
		"hw.git.svc.cluster.local:2222", "node.example:30022",
		"192.0.2.7:2222", "[2001:db8::1]:2222", "localhost:22")
	callback, algorithms, err := knownhosts.New([]byte(lines))
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range algorithms {
		if algorithm != gossh.KeyAlgoED25519 {
			t.Errorf("algorithm %s", algorithm)
		}
	}
	key, _, _, _, err := gossh.ParseAuthorizedKey([]byte(
		server.cli(t, "known-hosts", "x")[len("x "):]))
	if err != nil {
		t.Fatal(err)
	}
	remote := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 22}
	for address, known := range map[string]bool{
		"hw.git.svc.cluster.local:22":   true,
		"hw.git.svc:22":                 true,
		"hw.git:22":                     true,
		"hw.git.svc.cluster.local:2222": true,
		"hw.git.svc:2222":               true,
		"hw.git:2222":                   true,
		"node.example:30022":            true,
		"192.0.2.7:2222":                true,
		"[2001:db8::1]:2222":            true,
		"localhost:22":                  true,
		"node.example:22":               false,
		"hw.git.svc:2223":               false,
		"hw:22":                         false,
	} {
		if err := callback(address, remote, key); (err == nil) != known {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func signed(make func() hash.Hash, prefix, token string, call heard) string {
	sum := hmac.New(make, []byte(token))
	sum.Write(call.body)
	return prefix + hex.EncodeToString(sum.Sum(nil))
}

// What notification-controller asks of a call, by the type of the Receiver
// (its documentation; its server is no package that others may import).
var receivers = map[string]func(token string, call heard) bool{
	notificationv1.GenericReceiver: func(string, heard) bool { return true },
	notificationv1.GenericHMACReceiver: func(token string, call heard) bool {
		return call.headers.Get("X-Signature") ==
			signed(sha256.New, "sha256=", token, call)
	},
	notificationv1.GitHubReceiver: func(token string, call heard) bool {
		return call.headers.Get("Content-Type") == "application/json" &&
			call.headers.Get("X-GitHub-Event") == "push" &&
			call.headers.Get("X-Hub-Signature-256") ==
				signed(sha256.New, "sha256=", token, call) &&
			call.headers.Get("X-Hub-Signature") ==
				signed(sha1.New, "sha1=", token, call)
	},
	notificationv1.GitLabReceiver: func(token string, call heard) bool {
		return call.headers.Get("X-Gitlab-Event") == "Push Hook" &&
			subtle.ConstantTimeCompare([]byte(token),
				[]byte(call.headers.Get("X-Gitlab-Token"))) == 1
	},
}

// Every type, with a secret that holds what secrets may hold.
func TestIsHeardByReceiversOfEveryType(t *testing.T) {
	repo := makeRepository(t, "types")
	tokens := map[string]string{
		notificationv1.GenericReceiver:     "plain",
		notificationv1.GenericHMACReceiver: "with a newline\n",
		notificationv1.GitHubReceiver:      "ü + = /",
		notificationv1.GitLabReceiver:      "s3cr3t-token",
	}
	for kind, token := range tokens {
		t.Run(kind, func(t *testing.T) {
			receiver := &notificationv1.Receiver{ObjectMeta: metav1.ObjectMeta{
				Name: "r-" + kind, Namespace: "flux-system"}}
			service, _ := listen(t, func(call heard) int {
				if call.path != receiver.GetWebhookPath(token) {
					return http.StatusNotFound
				}
				if !receivers[kind](token, call) ||
					!json.Valid(call.body) {
					return http.StatusBadRequest
				}
				return http.StatusOK
			})
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(token),
				0o600); err != nil {
				t.Fatal(err)
			}
			server.cli(t, "hook", "create", "type-"+kind, "--repo", repo,
				"--receiver", "flux-system/r-"+kind, "--service",
				service, "--type", kind, "--secret-file", file)
			said := server.cli(t, "hook", "test", "type-"+kind)
			if !strings.Contains(said, "answered 200") {
				t.Error(said)
			}
			server.cli(t, "hook", "delete", "type-"+kind)
		})
	}
}

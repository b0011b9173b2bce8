// SPDX-License-Identifier: Apache-2.0

package flux

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

type heard struct {
	path    string
	headers http.Header
	body    []byte
}

// listen is a Service of receivers that answers what `answer` says.
func listen(t *testing.T, answer func(heard) int) (string, <-chan heard) {
	t.Helper()
	calls := make(chan heard, 64)
	service := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			call := heard{r.RequestURI, r.Header, body}
			w.WriteHeader(answer(call))
			select {
			case calls <- call:
			default:
			}
		}))
	t.Cleanup(service.Close)
	return strings.TrimPrefix(service.URL, "http://"), calls
}

// The Receiver that was printed, by Flux's own path, hears its own hook.
func TestIsHeardByTheReceiverThatItPrints(t *testing.T) {
	name := makeRepository(t, "heard")
	var printed []any
	accept := func(call heard) int {
		receiver := find[*notificationv1.Receiver](t, printed)
		token := secretsOf(printed)[receiver.Namespace+"/"+
			receiver.Spec.SecretRef.Name]["token"]
		if call.path != receiver.GetWebhookPath(string(token)) {
			return http.StatusNotFound
		}
		sum := hmac.New(sha256.New, token)
		sum.Write(call.body)
		if receiver.Spec.Type != notificationv1.GenericHMACReceiver ||
			call.headers.Get("X-Signature") !=
				"sha256="+hex.EncodeToString(sum.Sum(nil)) {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
	service, calls := listen(t, accept)
	printed = decode(t, server.cli(t, "flux", "all", name, "--service",
		service, "--key", "heard"))
	said := server.cli(t, "hook", "test", "flux-"+name)
	if !strings.Contains(said, "answered 200") {
		t.Error(said)
	}
	call := <-calls
	body := map[string]any{}
	if err := json.Unmarshal(call.body, &body); err != nil {
		t.Error(err)
	}
	if call.headers.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", call.headers)
	}
	receiver := find[*notificationv1.Receiver](t, printed)
	resource := receiver.Spec.Resources[0]
	source := find[*sourcev1.GitRepository](t, printed)
	if resource.Name != source.Name || resource.Kind != "GitRepository" {
		t.Errorf("the Receiver wakes %v", resource)
	}
	server.cli(t, "hook", "delete", "flux-"+name)
}

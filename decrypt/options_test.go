package decrypt

import "testing"

// TestOptions: an engine takes no word that it does not know, and has an origin's session
// end if nothing says otherwise.
func TestOptions(t *testing.T) {
	good := Config{Policy: always(0), Forger: &forger{}, Verifier: judge{}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	bad := good
	bad.Origin.ClientCertificate = "pass"
	if _, err := New(bad); err == nil {
		t.Error("an unknown answer to certificate requests is taken")
	}
	for _, tt := range []struct {
		o    OnInvalid
		want Response
	}{
		{OnInvalid{}, Block},
		{OnInvalid{Default: PassOn}, PassOn},
		{OnInvalid{Default: PassOn, ByReason: map[string]Response{"expired": Untrusted}}, Untrusted},
	} {
		if got := tt.o.Action("expired"); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.o, got, tt.want)
		}
	}
}

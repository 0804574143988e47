package feed

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// note describes a session, which recorders see as flow, in the comment on its
// first frame.
func note(s *decrypt.Session, content decrypt.Content, flow mirror.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "clearspan session=%s content=%s intake=%s rule=%s", s.ID, content, s.Intake, s.Decision.Rule)
	field := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", key, value)
		}
	}
	if flow.Origin.Port() != s.Origin.Port() {
		field("origin", s.Origin.String())
	}
	if flow.Client.Port() != s.Client.Port() {
		field("client", s.Client.String())
	}
	field("community_id", audit.CommunityID(flow.Client, flow.Origin))
	field("name", s.Name)
	field("sni", s.SNI)
	field("alpn", s.ALPN)
	field("tls_client", versionName(s.ClientTLS.Version))
	field("tls_origin", versionName(s.OriginTLS.Version))
	field("ja4", s.ClientTLS.JA4)
	field("verdict", s.OriginTLS.Verdict)
	field("revocation", s.OriginTLS.Revocation)
	field("chain_sha256", s.OriginTLS.ChainSHA256)
	return b.String()
}

func versionName(v uint16) string {
	if v == 0 {
		return ""
	}
	return strings.TrimPrefix(tls.VersionName(v), "TLS ")
}

// proven returns the names that are the origin's indeed. The name of a proxy request
// was resolved by us, unless the session went elsewhere since.
func proven(s *decrypt.Session) (names []string) {
	if s.Name != "" && !s.Destination.IsValid() {
		names = append(names, s.Name)
	}
	if s.OriginTLS.Verdict == "ok" || s.Resolves() {
		names = append(names, s.SNI)
	}
	return names
}

// handshake translates what an intake saw of client and origin themselves.
func handshake(h *decrypt.Handshake) *mirror.Handshake {
	if h == nil {
		return nil
	}
	return &mirror.Handshake{Client: mirror.HandshakeSide(h.Client), Origin: mirror.HandshakeSide(h.Origin)}
}

// ClearPort is the origin's port as inline devices see it by default: that of the
// protocol in clear. Unlike recorders, they take everything on 443 for TLS.
func ClearPort(s *decrypt.Session) uint16 {
	port := mirror.ClearPorts(s.Origin.Port(), protocolOf(s, decrypt.Decrypted))
	if port == 443 {
		return 80
	}
	return port
}

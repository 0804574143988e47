// Package e2e runs the appliance among real programs. Origins are nginx, Postfix
// and Dovecot, clients are curl, swaks and openssl, the recorder on the mirror port
// is tcpdump. Each program runs in a network namespace of its own. The scenes run
// side by side. Scenes that measure need the machine for themselves; they are in
// package alone.
package e2e

import (
	"testing"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// scenes is how many run at a time: two for each core of a small machine. They wait more
// than they compute.
const scenes = 4

func TestMain(m *testing.M) { scenetest.Main(m, scenes) }

const (
	webName   = scenetest.WebName
	mailName  = scenetest.MailName
	domain    = scenetest.Domain
	user      = scenetest.User
	password  = scenetest.Password
	everyPort = scenetest.EveryPort
	adminAddr = scenetest.AdminAddr
)

type (
	settings   = scenetest.Settings
	entry      = scenetest.Entry
	ends       = scenetest.Ends
	transcript = scenetest.Transcript
)

// scene is a [scenetest.Scene] with what the tests of this package do in one.
type scene struct {
	*scenetest.Scene
	wire string // the name of its wire, if it has one
}

func newScene(t *testing.T, s settings) *scene {
	t.Helper()
	return &scene{Scene: scenetest.New(t, s)}
}

// In returns the scene for a subtest.
func (c *scene) In(t *testing.T) *scene { return &scene{c.Scene.In(t), c.wire} }

// prepared turns a function on our scenes into one of [settings].
func prepared(f func(*scene)) func(*scenetest.Scene) {
	return func(s *scenetest.Scene) { f(&scene{Scene: s}) }
}

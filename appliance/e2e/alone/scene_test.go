// Package alone has the scenes of package e2e that measure: time, memory, what is lost
// beside a crowd. They run one after the other, when no other test is running.
package alone

import (
	"testing"

	"github.com/clearspan/clearspan/hack/scenetest"
)

func TestMain(m *testing.M) { scenetest.Main(m, 1) }

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
	ends       = scenetest.Ends
	transcript = scenetest.Transcript
)

// scene is a [scenetest.Scene] with what the tests of this package do in one.
type scene struct{ *scenetest.Scene }

func newScene(t *testing.T, s settings) *scene {
	t.Helper()
	return &scene{scenetest.New(t, s)}
}

// In returns the scene for a subtest.
func (c *scene) In(t *testing.T) *scene { return &scene{c.Scene.In(t)} }

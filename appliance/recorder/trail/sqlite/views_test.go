package sqlite

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TestViews: whoever reads a day with SQL sees what the store answers.
func TestViews(t *testing.T) {
	s := open(t)
	if err := s.Write(t.Context(), trailtest.Events(0, 100)); err != nil {
		t.Fatal(err)
	}
	db, done, err := s.day("2026-11-01", false)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	n := 0
	err = s.Events(t.Context(), trail.Question{Limit: 1000}, func(x *trail.Full) bool {
		n++
		var session, at, kind, client, host, uri, sender string
		var port uint16
		if err := db.QueryRow("select session, at, kind, client, client_port, host, uri, sender from events where id=?", x.ID.String()).Scan(&session, &at, &kind, &client, &port, &host, &uri, &sender); err != nil {
			t.Errorf("event %v: %v", x.ID, err)
			return false
		}
		if session != x.Session.String() || at != x.At.Format("2006-01-02T15:04:05.000000000Z") || kind != x.Kind || len(client) != 8 || port != x.Client.Port() || host != x.Host || uri != x.URI || sender != x.Sender {
			t.Errorf("view %s %s %s %s:%d %s %s %s of %+v", session, at, kind, client, port, host, uri, sender, x.Event)
		}
		var name, hash, direction string
		if err := db.QueryRow("select name, sha256, direction from files where event=? and number=1", x.ID.String()).Scan(&name, &hash, &direction); err != nil || name != x.Sightings[0].Name || hash != x.Sightings[0].Hash.String() || direction != x.Sightings[0].Direction.String() {
			t.Errorf("file %s %s %s, %v", name, hash, direction, err)
		}
		return true
	})
	if err != nil || n != 100 {
		t.Errorf("%d events, %v", n, err)
	}
	var found, recipients int
	if err := db.QueryRow("select (select count(*) from findings where detector='my-number'), (select count(*) from recipients where role='cc')").Scan(&found, &recipients); err != nil || found != 10 || recipients != 10 {
		t.Errorf("%d findings, %d recipients, %v", found, recipients, err)
	}
}

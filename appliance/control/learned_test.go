package control

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/learn"
)

// TestLearned: what is no change, or changes nothing, is refused.
func TestLearned(t *testing.T) {
	path := serve(t, &fake{learned: learn.New(learn.Options{}, learn.Config{})}, -1)
	if got := askOnce(path, "GET", "/api/v1/learned"); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
	c := client(t, path)
	for body, status := range map[string]int{
		`{"kept":true}`: http.StatusNotFound,
		`{"kept":1}`:    http.StatusBadRequest,
		`{}`:            http.StatusBadRequest,
		`{"kpet":true}`: http.StatusBadRequest,
		"":              http.StatusBadRequest,
		`{"kept":` + strings.Repeat(" ", maxBody) + `true}`: http.StatusBadRequest,
	} {
		q, err := http.NewRequestWithContext(context.Background(), "POST", "http://box/api/v1/learned/1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%.20s: %s: %s", body, res.Status, text)
		}
	}
	if p := problem(t, askOnce(path, "DELETE", "/api/v1/learned/1")); p.Type != TypeNotFound {
		t.Errorf("%+v", p)
	}
}

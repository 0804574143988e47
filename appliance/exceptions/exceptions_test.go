package exceptions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), FileName)
	if all, err := List(file); err != nil || all != nil {
		t.Fatalf("%v, %v", all, err)
	}
	s := Open(file)
	now := time.Now().UTC()
	add := func(client, host string) error {
		return s.Add(Request{Time: now, Client: client, Host: host, Reason: `needs "it"`})
	}
	for range 3 {
		if err := add("10.0.0.1", "a.example"); err != nil {
			t.Fatal(err)
		}
	}
	all, err := List(file)
	if err != nil || len(all) != 1 || all[0].Reason != `needs "it"` || !all[0].Time.Equal(now) {
		t.Fatalf("%+v, %v", all, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A client fills its own part only.
	for i := range maxOfClient - 1 {
		if err := add("10.0.0.1", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("10.0.0.1", "one more"); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	if err := add("10.0.0.2", "a.example"); err != nil {
		t.Error(err)
	}
	// A line cut off by a crash costs that line alone.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"host":"half` + "\n")
	f.Close()
	if all, err := List(file); err != nil || len(all) != maxOfClient+1 {
		t.Errorf("%d, %v", len(all), err)
	}
	if err := Clear(file, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if all, err := List(file); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestBound fills the store from many clients.
func TestBound(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), FileName))
	var err error
	n := 0
	for ; err == nil && n <= maxRequests; n++ {
		err = s.Add(Request{Client: fmt.Sprint(n), Host: "a.example"})
	}
	if !errors.Is(err, ErrFull) || n != maxRequests+1 {
		t.Errorf("%v after %d", err, n)
	}
}

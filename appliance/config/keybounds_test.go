package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// beyond returns values just below and above a bound.
func beyond(t *testing.T, typ Type, bound string) (below, above string) {
	switch typ {
	case TypeDuration:
		d, err := time.ParseDuration(bound)
		if err != nil {
			t.Fatal(err)
		}
		return (d - 1).String(), (d + 1).String()
	case TypeSize:
		n, err := parseSize(bound)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(int64(n) - 1), fmt.Sprint(n + 1)
	}
	n, err := strconv.ParseInt(bound, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n - 1), fmt.Sprint(n + 1)
}

// TestKeyBounds: the bounds that are described are the reader's.
func TestKeyBounds(t *testing.T) {
	probed(t, func(t *testing.T, k *Key, kind string) {
		accepts := func(value string) bool {
			root := world(k.Path, kind)
			put(t, root, k, kind, value)
			_, err := parseSheet(root)
			return err == nil
		}
		isWord := func(value string) bool {
			return slices.ContainsFunc(k.Words, func(w Choice) bool { return w.Word == value })
		}
		if k.Min != "" {
			below, _ := beyond(t, k.Type, k.Min)
			if !accepts(k.Min) || accepts(below) && !isWord(below) {
				t.Errorf("%s is not the lowest value", k.Min)
			}
		}
		if k.Max != "" {
			_, above := beyond(t, k.Type, k.Max)
			if !accepts(k.Max) || accepts(above) {
				t.Errorf("%s is not the highest value", k.Max)
			}
		}
		if bounded := k.Type == TypeNumber || k.Type == TypeDuration; bounded && (k.Min == "" || k.Max == "") {
			t.Error("no bounds are described")
		}
	})
}

// TestKeysOfOtherKinds: a key that is not described for a mode or kind is refused
// there, and a required one is missed.
func TestKeysOfOtherKinds(t *testing.T) {
	keys := Keys()
	of := make(map[string][]string)
	for _, k := range keys {
		of[k.Path] = append(of[k.Path], k.Of...)
	}
	for i := range keys {
		k := &keys[i]
		if strings.Count(k.Path, ".") != 1 || k.Of == nil {
			continue
		}
		for _, kind := range kinds(section(k.Path)) {
			if slices.Contains(of[k.Path], kind) {
				continue
			}
			root := world(k.Path, kind)
			value := k.Example
			if k.Type == TypeTable {
				value = "{}"
			}
			holder(root, k, kind).set(k.Name(), value)
			if _, err := parseSheet(root); err == nil || !strings.Contains(err.Error(), k.Name()+" does not apply to ") {
				t.Errorf("%s with %s: error %v", k.Path, kind, err)
			}
		}
	}
	probed(t, func(t *testing.T, k *Key, kind string) {
		root := world(k.Path, kind)
		holder(root, k, kind).remove(k.Name())
		_, err := parseSheet(root)
		if strings.HasSuffix(k.Path, "time[].from") {
			return // one of the table's keys is needed
		}
		if missed := err != nil && strings.Contains(err.Error(), k.Name()+" is missing"); missed != k.Required {
			t.Errorf("required %t, error without it: %v", k.Required, err)
		}
	})
}

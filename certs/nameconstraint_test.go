package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// Names of tests: an organization in each string type, a name beside it.
func directoryName(tag int, organization string, rest ...string) []byte {
	value := []byte(organization)
	if tag == asn1.TagBMPString {
		value = nil
		for _, r := range organization {
			value = append(value, byte(r>>8), byte(r))
		}
	}
	name := []relativeNameSET{{{asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.RawValue{Tag: tag, Bytes: value}}}}
	for _, cn := range rest {
		name = append(name, relativeNameSET{{asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(cn)}}})
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		panic(err)
	}
	return der
}

// subtrees returns the value of the extension: forms with their names, permitted (0) or
// excluded (1).
func subtrees(list, form int, names ...[]byte) []byte {
	var all []byte
	for _, name := range names {
		base, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: form, IsCompound: form == formDirectory || form == 0, Bytes: name})
		subtree, _ := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: base})
		all = append(all, subtree...)
	}
	der, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: list, IsCompound: true, Bytes: all})
	return der
}

// joined makes one list of two.
func joined(a, b []byte) []byte {
	var one, two asn1.RawValue
	asn1.Unmarshal(a, &one)
	asn1.Unmarshal(b, &two)
	der, _ := asn1.Marshal(asn1.RawValue{Class: one.Class, Tag: one.Tag, IsCompound: true, Bytes: append(one.Bytes, two.Bytes...)})
	return der
}

func constraintsOf(parts ...[]byte) edit {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	der, _ := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: all})
	return extension(true, oidNameConstraints, der...)
}

// TestDirectoryNameConstraints has authorities that are constrained to an organization, in
// a critical extension.
func TestDirectoryNameConstraints(t *testing.T) {
	const printable, utf8, bmp = asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagBMPString
	org := directoryName(utf8, "Example Org")
	permit, exclude := constraintsOf(subtrees(0, formDirectory, org)), constraintsOf(subtrees(1, formDirectory, org))
	raw := func(der []byte) edit { return func(c *x509.Certificate) { c.RawSubject = der } }
	alternative := func(der []byte) edit { // beside the DNS name
		base, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: formDirectory, IsCompound: true, Bytes: der})
		dns, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: formDNS, Bytes: []byte(testHost)})
		value, _ := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(dns, base...)})
		return extension(false, oidSubjectAltName, value...)
	}
	for _, tt := range []struct {
		name  string
		inter edit
		leaf  []edit
		want  Reason
	}{
		{"permitted", permit, []edit{raw(directoryName(utf8, "Example Org", "www"))}, ""},
		{"permitted, another string type", permit, []edit{raw(directoryName(printable, "Example Org", "www"))}, ""},
		{"permitted, sixteen bits", permit, []edit{raw(directoryName(bmp, "Example Org", "www"))}, ""},
		{"permitted, case and space", permit, []edit{raw(directoryName(printable, "  EXAMPLE   org ", "www"))}, ""},
		{"permitted, no subject", permit, []edit{subject(pkix.Name{})}, ""},
		{"another organization", permit, []edit{raw(directoryName(utf8, "Other Org", "www"))}, Constraint},
		{"longer organization", permit, []edit{raw(directoryName(utf8, "Example Organization", "www"))}, Constraint},
		{"organization behind", permit, []edit{raw(behind(t))}, Constraint},
		{"permitted, alternative name is not", permit, []edit{raw(directoryName(utf8, "Example Org")), alternative(directoryName(utf8, "Other Org"))}, Constraint},
		{"permitted with its alternative name", permit, []edit{raw(directoryName(utf8, "Example Org")), alternative(directoryName(utf8, "example org", "x"))}, ""},
		{"excluded", exclude, []edit{raw(directoryName(printable, "EXAMPLE ORG", "www"))}, Constraint},
		{"not excluded", exclude, []edit{raw(directoryName(printable, "Other Org", "www"))}, ""},
		{"excluded, full-width letters", exclude, []edit{raw(directoryName(utf8, "\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25 Org", "www"))}, Constraint},
		{"permitted and excluded", constraintsOf(subtrees(0, formDirectory, org), subtrees(1, formDirectory, directoryName(utf8, "Example Org", "www"))),
			[]edit{raw(directoryName(utf8, "Example Org", "WWW"))}, Constraint},
		{"another form, no such name", constraintsOf(subtrees(1, 8, []byte{42, 3})), nil, ""},
		{"DNS beside it", constraintsOf(joined(subtrees(0, formDirectory, org), subtrees(0, formDNS, []byte("example.org")))), []edit{raw(directoryName(utf8, "Example Org", "www"))}, Constraint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPKI(t)
			p.inter = issue(t, p.root, ecKey(t), asCA("Odd Intermediate"), tt.inter)
			err := p.judge().Verify(t.Context(), testHost, presenting(p.chain(p.leaf(t, tt.leaf...))...))
			if got := ReasonOf(err); got != tt.want {
				t.Errorf("reason %q, want %q: %v", got, tt.want, err)
			}
		})
	}
}

// behind is a name whose organization is not its beginning.
func behind(t *testing.T) []byte {
	der, err := asn1.Marshal(pkix.Name{CommonName: "www", Organization: []string{"Example Org"}, Country: []string{"SE"}}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Names that differ in any attribute are not the same, whatever their octets run into.
func TestFoldName(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range [][]byte{
		directoryName(asn1.TagUTF8String, "a"), directoryName(asn1.TagUTF8String, "ab"), directoryName(asn1.TagUTF8String, "a", "b"),
		directoryName(asn1.TagUTF8String, "", "ab"), directoryName(asn1.TagOctetString, "a"), directoryName(asn1.TagT61String, "a"),
	} {
		f, err := foldName(name)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.Join(f, "|")
		if other, ok := seen[key]; ok {
			t.Errorf("%x and %s are the same", name, other)
		}
		seen[key] = string(name)
	}
}

func FuzzFoldName(f *testing.F) {
	f.Add(directoryName(asn1.TagUTF8String, "Example Org", "x"))
	f.Add(directoryName(asn1.TagBMPString, "Ex"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if name, err := foldName(der); err == nil && !name.within(name) {
			t.Error("a name is not within itself")
		}
	})
}

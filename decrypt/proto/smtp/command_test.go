package smtp

import (
	"errors"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		verb       Verb
		argument   string
		strict     error
	}{
		{"as it should be", "MAIL FROM:<a@b.test>\r\n", MAIL, "FROM:<a@b.test>", nil},
		{"no end", "QUIT", QUIT, "", nil},
		{"bare LF", "DATA\n", DATA, "", nil},
		{"any case", "StartTLS\r\n", STARTTLS, "", nil},
		{"blanks around", " \t rcpt \t TO:<a> \t \r\n", RCPT, "TO:<a>", nil},
		{"another command", "FOO1 bar\r\n", Other, "bar", nil},
		{"empty", "\r\n", Other, "", ErrVerb},
		{"blanks only", "  \t\r\n", Other, "", ErrVerb},
		{"two CR", "NOOP\r\r\n", NOOP, "", ErrControl},
		{"bare CR", "NOOP\rDATA\r\n", NOOP, "DATA", ErrControl},
		{"CR first", "\rDATA\r\n", DATA, "", ErrControl},
		{"NUL behind the verb", "DATA\x00x\r\n", DATA, "", ErrControl},
		{"NUL in the argument", "NOOP a\x00b\r\n", NOOP, "a", ErrControl},
		{"vertical tab first", "\vDATA\r\n", DATA, "", ErrVerb},
		{"form feed behind", "DATA\f\r\n", DATA, "", ErrVerb},
		{"form feed in the argument", "NOOP a\fb\r\n", NOOP, "a\fb", nil},
		{"not a word", "DATA;\r\n", Other, "", ErrVerb},
		{"control in the word", "\x10DATA\r\n", Other, "", ErrVerb},
		{"letters that fold", "RſET\r\n", Other, "", ErrVerb},
		{"too long a word", "ABCDEFGHIJKLMNOPQ\r\n", Other, "", ErrVerb},
		{"long", "NOOP" + strings.Repeat(" ", maxCommand) + "\r\n", NOOP, "", ErrLong},
		{"long, of SASL", "AUTH x " + strings.Repeat("y", maxCommand) + "\r\n", AUTH, "x " + strings.Repeat("y", maxCommand), nil},
		{"quoted", "\"DATA\"\r\n", Other, "", ErrVerb},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCommand([]byte(tt.line), Loose)
			if c.Verb != tt.verb || string(c.Argument) != tt.argument || err != nil {
				t.Errorf("loose: %v %q, %v", c.Verb, c.Argument, err)
			}
			c, err = ParseCommand([]byte(tt.line), Strict)
			if c.Verb != tt.verb || string(c.Argument) != tt.argument || !errors.Is(err, tt.strict) {
				t.Errorf("strict: %v %q, %v", c.Verb, c.Argument, err)
			}
		})
	}
}

func TestCouldBe(t *testing.T) {
	for line, want := range map[string]bool{
		"": true, " \t": true, "s": true, " starttls": true, "STARTTLS\r\n": true, "\vSTARTTLS x": true, "STARTTLS\x00": true,
		"STARTTLSX": false, "START ": false, "STOP": false, "a STARTTLS": false,
	} {
		if got := CouldBe([]byte(line), STARTTLS); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestChunk(t *testing.T) {
	for _, tt := range []struct {
		argument string
		size     int64
		last, ok bool
	}{
		{"10", 10, false, true},
		{"0 last", 0, true, true},
		{"007 \t LAST ", 7, true, true},
		{"4611686018427387903 LAST", 1<<62 - 1, true, true},
		{"4611686018427387904 LAST", 0, false, false},
		{"", 0, false, false},
		{"LAST", 0, false, false},
		{"+5", 0, false, false},
		{"-5", 0, false, false},
		{"0x5", 0, false, false},
		{"5 LASTLY", 0, false, false},
		{"5 LAST LAST", 0, false, false},
	} {
		c, _ := ParseCommand([]byte("BDAT "+tt.argument+"\r\n"), Strict)
		if size, last, ok := c.Chunk(); size != tt.size || last != tt.last || ok != tt.ok {
			t.Errorf("%q: %d, %v, %v", tt.argument, size, last, ok)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, tt := range []struct {
		name, argument, address, parameters string
		ok                                  bool
	}{
		{"as it should be", "FROM:<a@b.test> SIZE=10 BODY=8BITMIME", "a@b.test", "SIZE=10 BODY=8BITMIME", true},
		{"null sender", "FROM:<>", "", "", true},
		{"null sender with parameters", "FROM:<>  SMTPUTF8 ", "", "SMTPUTF8", true},
		{"blanks around the colon", "from : \t<a@b.test>", "a@b.test", "", true},
		{"no brackets", "TO:a@b.test NOTIFY=NEVER", "a@b.test", "NOTIFY=NEVER", true},
		{"bracket in quotes", `FROM:<"a>b"@c.test> SIZE=1`, `"a>b"@c.test`, "SIZE=1", true},
		{"quote in quotes", `FROM:<"a\">b"@c.test>`, `"a\">b"@c.test`, "", true},
		{"escaped bracket", `FROM:<a\>b@c.test>`, `a\>b@c.test`, "", true},
		{"source route", "TO:<@a.test,@b.test:c@d.test>", "@a.test,@b.test:c@d.test", "", true},
		{"UTF-8", "TO:<\xc3\xa9@b.test>", "\xc3\xa9@b.test", "", true},
		{"no parameter sign", "FROM:<a@b.test>SIZE=1", "a@b.test", "SIZE=1", true},
		{"behind a comment", "FROM:(c)<a@b.test>", "a@b.test", "", true},
		{"brackets in a parameter", "FROM:a@b.test AUTH=<>", "a@b.test", "AUTH=<>", true},
		{"not closed", "FROM:<a@b.test", "a@b.test", "", true},
		{"quote not closed", `FROM:<"a>b`, `"a>b`, "", true},
		{"no colon", "a@b.test", "", "", false},
		{"nothing", "", "", "", false},
		{"colon only", "FROM:", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, ok := ParsePath([]byte(tt.argument))
			if string(p.Address) != tt.address || string(p.Parameters) != tt.parameters || ok != tt.ok {
				t.Errorf("%q, %q, %v", p.Address, p.Parameters, ok)
			}
		})
	}
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		line string
		code int
		last bool
		text string
		ok   bool
	}{
		{"250 2.1.5 Ok\r\n", 250, true, "2.1.5 Ok", true},
		{"554-5.7.1 No\n", 554, false, "5.7.1 No", true},
		{"220\r\n", 220, true, "", true},
		{"220\r\r\n", 220, true, "", true},
		{"220 ", 220, true, "", true},
		{"250 5.1.5 another class", 250, true, "5.1.5 another class", true},
		{"250 2.1.5.1 no status", 250, true, "2.1.5.1 no status", true},
		{"250 2.1234.5", 250, true, "2.1234.5", true},
		{"250 2.1.", 250, true, "2.1.", true},
		{"250 22.1.5", 250, true, "22.1.5", true},
		{"25 x\r\n", 0, false, "", false},
		{"2500 x\r\n", 250, false, "", false},
		{"+50 x\r\n", 0, false, "", false},
		{"", 0, false, "", false},
	} {
		r, ok := ParseReply([]byte(tt.line))
		if ok != tt.ok || ok && (r.Code != tt.code || r.Last != tt.last || string(r.Text) != tt.text) {
			t.Errorf("%q: %+v, %v", tt.line, r, ok)
		}
	}
	r, _ := ParseReply([]byte("250-Size 1000\r\n"))
	if k, p := r.Keyword(); string(k) != "Size" || string(p) != "1000" {
		t.Errorf("keyword %q, %q", k, p)
	}
}

// FuzzParse: a strict reader reads what a loose one reads, or refuses it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"MAIL FROM:<\"a>b\"@c> SIZE=1\r\n", "\v\rDATA\x00\r\n", "BDAT 10 LAST\n", "250-2.1.5 ok\r\n", "RCPT TO : a b=c", "\xff\xfe\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		loose, err := ParseCommand(line, Loose)
		if err != nil {
			t.Fatal(err)
		}
		strict, err := ParseCommand(line, Strict)
		if err == nil && (strict.Verb != loose.Verb || string(strict.Word) != string(loose.Word) || string(strict.Argument) != string(loose.Argument)) {
			t.Fatalf("strict %v %q, loose %v %q", strict.Verb, strict.Argument, loose.Verb, loose.Argument)
		}
		if v := loose.Verb; v != Other {
			for n := range line {
				if !CouldBe(line[:n], v) {
					t.Fatalf("%q could not be %v", line[:n], v)
				}
			}
		}
		if size, _, ok := loose.Chunk(); ok != (size > 0) && size != 0 {
			t.Fatalf("chunk of %d", size)
		}
		ParsePath(loose.Argument)
		if r, ok := ParseReply(line); ok {
			if r.Code < 0 || r.Code > 999 {
				t.Fatalf("code %d", r.Code)
			}
			r.Keyword()
		}
	})
}

package recorder

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// document is a text, and the detector that has to tell it.
type document struct{ detector, text string }

// wide makes digits and letters full-width.
func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' {
			return r - '0' + '０'
		}
		return r
	}, s)
}

// made makes values that are none of anybody, and texts around them.
type made struct{ *rand.Rand }

func (m made) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte('0' + byte(m.IntN(10)))
	}
	return b.String()
}

// myNumber returns 12 digits with a check digit (Order No. 85 of 2014 of the ministry of
// internal affairs, Article 5).
func (m made) myNumber() string {
	d, sum := m.digits(11), 0
	for i := range 11 {
		n := 11 - i
		q := n + 1
		if n > 6 {
			q = n - 5
		}
		sum += int(d[i]-'0') * q
	}
	check := 11 - sum%11
	if sum%11 <= 1 {
		check = 0
	}
	return d + fmt.Sprint(check)
}

// card returns a number of Visa with a check digit (ISO/IEC 7812-1, Annex B).
func (m made) card() string {
	d, sum := "4539"+m.digits(11), 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return d + fmt.Sprint((10-sum%10)%10)
}

func four(s, sign string) string {
	var parts []string
	for ; len(s) > 4; s = s[4:] {
		parts = append(parts, s[:4])
	}
	return strings.Join(append(parts, s), sign)
}

func (m made) letters(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte('A' + byte(m.IntN(26)))
	}
	return b.String()
}

// people returns a list of people.
func (m made) people(n int, sign string) string {
	var b strings.Builder
	b.WriteString(strings.Join([]string{"氏名", "電話", "住所", "メール"}, sign) + "\n")
	for range n {
		name := []string{"山田 太郎", "佐藤 花子", "渡辺健一", "伊藤 さくら", "中村　蓮"}[m.IntN(5)]
		place := []string{"東京都千代田区丸の内", "大阪府大阪市北区梅田", "北海道札幌市中央区", "福岡県福岡市博多区"}[m.IntN(4)]
		b.WriteString(strings.Join([]string{name, "090-" + m.digits(4) + "-" + m.digits(4), place + fmt.Sprint(1+m.IntN(9)), strings.ToLower(m.letters(6)) + "@example.co.jp"}, sign) + "\n")
	}
	return b.String()
}

// labelled returns so many documents of each detector.
func labelled(each int) (list []document) {
	m := made{rand.New(rand.NewPCG(18, 10))}
	filler := strings.Repeat("本日の会議では、来年度の予算について話し合いました。資料は後ほど送ります。\n", 60)
	for n := range each {
		pick := func(detector string, texts ...string) { list = append(list, document{detector, texts[n%len(texts)]}) }
		number := m.myNumber()
		pick("my-number", "届出の控え\nマイナンバー: "+four(number, "-")+" です\n", "個人番号　"+wide(number)+"\n", "社員番号,個人番号\n"+strings.Repeat("12,なし\n", 400)+"13,"+number+"\n",
			filler+"お客様のマイナンバーは"+four(number, " ")+"です。\n"+filler, "Individual number (My Number)\n"+number+"\n")
		licence := "30" + m.digits(10)
		pick("licence", "運転免許証番号 "+licence+"\n", "免許証の番号：第"+licence+"号\n", "driver's license number: "+licence+"\n", filler+"運転免許 "+wide(licence)+"\n")
		passport := "T" + m.letters(1) + m.digits(7)
		pick("passport", "旅券番号 "+passport+"\n", "Passport No. "+passport+"\n", "パスポート番号　"+wide(passport)+"\n", "氏名,旅券\n甲,"+passport+"\n")
		residence := m.letters(2) + m.digits(8) + m.letters(2)
		pick("residence-card", "在留カード番号 "+residence+"\n", "在留資格：永住者 "+residence+"\n", "在留カード　"+wide(residence)+"\n")
		account := m.digits(7)
		pick("bank-account", "みずほ銀行 新宿支店 普通 口座番号 "+account+"\n", "振込先：三井住友銀行 本店 普通預金 "+account+"\n", "口座番号\n"+wide(account)+"\n", "店番,口座番号,名義\n"+m.digits(3)+","+account+",ヤマダ\n")
		pension := m.digits(10)
		pick("pension", "基礎年金番号 "+pension[:4]+"-"+pension[4:]+"\n", "年金手帳の番号 "+pension+"\n", "年金番号："+wide(pension)+"\n")
		pick("insurance", "被保険者番号 "+m.digits(8)+"\n", "健康保険 保険者番号 "+m.digits(8)+"\n", "保険証："+wide(m.digits(8))+"\n")
		card := m.card()
		pick("card", "カード番号 "+four(card, " ")+" 有効期限 01/27\n", "card number: "+four(card, "-")+"\n", filler+"クレジットカード "+card+"\n", "会員 "+four(card, " ")+"\n", "VISA "+wide(card)+"\n")
		pick("person", m.people(2, ","), m.people(30, "\t"), m.people(3, ";"), strings.ReplaceAll(m.people(5, "、"), "、", " "), "佐藤花子様 hanako@example.jp\n")
		pick("label", "二〇二六年度計画\n社外秘\n本文が続きます。\n", "極秘\n"+filler, filler+"取扱注意\n"+filler, "CONFIDENTIAL\nThe figures of the year\n", "The figures of the year.\n"+filler+"\nExample Corp. - Strictly Confidential\n")
	}
	return list
}

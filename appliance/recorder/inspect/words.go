package inspect

import "strings"

// class is what a word says of what stands near it.
type class uint8

const (
	myNumberWord class = iota
	licenceWord
	passportWord
	residenceWord
	bankWord
	branchWord
	insuranceWord
	pensionWord
	cardWord
	phoneWord
	postalWord
	birthWord
	nameWord
	addressWord
	emailWord
	prefecture
	surname
	yearSign
	mark // of confidentiality

	classes
)

// words are those of each class, as they are after folding.
var words = [classes]string{
	myNumberWord:  "マイナンバー 個人番号 通知カード my_number mynumber individual_number",
	licenceWord:   "運転免許 免許証 免許番号 driver's_license driver_license driving_licence licence_number license_number",
	passportWord:  "旅券 パスポート passport",
	residenceWord: "在留カード 在留資格 residence_card",
	bankWord:      "口座番号 普通預金 当座預金 普通口座 振込先 口座名義 account_number account_no bank_account",
	branchWord:    "支店 店番 店番号 支店コード branch",
	insuranceWord: "被保険者 保険証 保険者番号 被保険者証 健康保険 insurance_number insured",
	pensionWord:   "基礎年金番号 年金手帳 年金番号",
	cardWord:      "カード番号 クレジット 有効期限 credit_card card_number cardholder visa mastercard jcb amex card_no",
	phoneWord:     "電話 携帯 連絡先 tel phone mobile fax ファックス",
	postalWord:    "郵便番号 〒 postal_code zip_code postcode",
	birthWord:     "生年月日 誕生日 生まれ date_of_birth birth_date birthday birthdate dob",
	nameWord:      "氏名 お名前 名前 姓名 フリガナ 氏名漢字 full_name customer_name surname last_name",
	addressWord:   "住所 所在地 居住地 home_address postal_address street_address",
	emailWord:     "メールアドレス メアド e-mail email mail_address",
	prefecture:    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県",
	surname:       "佐藤 鈴木 高橋 田中 伊藤 渡辺 渡邊 渡邉 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 斉藤 齋藤 清水 山崎 森 池田 橋本 阿部 石川 山下 中島 石井 小川 前田 岡田 長谷川 藤田 後藤 近藤 村上 遠藤 青木 坂本 福田 太田 西村 藤井 金子 岡本 藤原 三浦 中野 中川 原田 松田 竹内 小野 田村 中山 和田 石田 森田 上田 原 内田 柴田 酒井 宮崎 横山 高木 安藤 宮本 大野 小島 谷口 工藤 今井 高田 増田 丸山 杉山 村田 大塚 新井 小山 平野 藤本 河野 上野 野口 武田 松井 千葉 菅原 岩崎 木下 久保 佐野 野村 松尾 市川 菊地 杉本 古川 大西 島田 水野 桜井 高野 吉川 山内 西田 飯田 菊池 西川 小松 北村 安田 五十嵐 川口 平田 関 中田 久保田 服部 東 岩田 土屋 川崎 福島 本田 辻 樋口 秋山 田口 永井 山中 中西 吉村 川上 大橋 石原 松岡 浜田 馬場 森本 矢野 浅野 松下 星野",
	yearSign:      "年",
	mark:          "社外秘 極秘 機密 部外秘 取扱注意 関係者外秘 厳秘 confidential strictly_confidential top_secret internal_use_only company_confidential",
}

// listed returns the words of a class. An underscore stands for a blank.
func listed(c class) (list []string) {
	for w := range strings.FieldsSeq(words[c]) {
		list = append(list, strings.ReplaceAll(w, "_", " "))
	}
	return list
}

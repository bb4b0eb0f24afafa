//! Who samples are about, and in what words.

use crate::render::Seller;

/// Who a sample is about.
#[derive(Clone, Copy)]
pub(super) enum Guest {
    Plain,
    /// Everything is as long as it may be, and in several scripts.
    Long,
    /// Without a name, at a seller without particulars, and everything reads like markup.
    Hostile,
    Vietnamese,
    Polish,
    Greek,
    /// Nowhere is a space at which a line could end.
    Unbroken,
    /// In scripts from right to left, with symbols that not every typeface has.
    RightToLeft,
}

pub(super) const GUESTS: [(&str, Guest); 8] = [
    ("plain", Guest::Plain),
    ("long", Guest::Long),
    ("hostile", Guest::Hostile),
    ("Vietnamese", Guest::Vietnamese),
    ("Polish", Guest::Polish),
    ("Greek", Guest::Greek),
    ("without spaces", Guest::Unbroken),
    ("right to left", Guest::RightToLeft),
];

/// What people wrote.
pub(super) struct Said {
    pub title: &'static str,
    pub location: &'static str,
    /// Empty where nobody is named.
    pub name: &'static str,
    pub email: &'static str,
    pub category: &'static str,
    /// Of the organiser or the seller; may be empty.
    pub explanation: &'static str,
}

const LONG_TITLE: &str = "An Evening of Very Long Names with the Philharmonic Orchestra of the Great \
                          Northern Plains and All of Its Many Guests II";

const PLAIN: Said = Said {
    title: "Nightjar Live",
    location: "Lucerna Music Bar, Praha",
    name: "Zofia Wójcik",
    email: "zofia@example.com",
    category: "Standing",
    explanation: "The singer is ill.\n\nWe are sorry.",
};

const LONG: Said = Said {
    title: LONG_TITLE,
    location: "Großer Saal, Elbphilharmonie, Platz der Deutschen Einheit 4, 20457 Hamburg, entrance \
               from the river side, second escalator",
    name: "Nguyễn Thị Ánh Tuyết Papadopoulou-Ελένη Wójcik",
    category: "Standing room, early bird, with a free drink and a place in the first row",
    explanation: LONG_TITLE,
    ..PLAIN
};

const HOSTILE: Said = Said {
    title: "<b>{{ number }}</b>\r\nBcc: a@b.example",
    location: "\"><script>1</script>",
    name: "",
    category: "<u>{% if %}</u>",
    explanation: "",
    ..PLAIN
};

const VIETNAMESE: Said = Said {
    title: "Đêm nhạc Trịnh Công Sơn: những bản tình ca bất hủ cùng dàn nhạc giao hưởng Việt Nam \
            và các nghệ sĩ khách mời quốc tế lớn",
    location: "Nhà hát Lớn Hà Nội, 01 Tràng Tiền, Phan Chu Trinh, Hoàn Kiếm, Hà Nội",
    name: "Nguyễn Thị Ánh Tuyết",
    email: "anhtuyet@example.vn",
    category: "Hạng nhất, ban công, có đồ uống",
    explanation: "Ca sĩ bị ốm.\n\nChúng tôi xin lỗi.",
};

const POLISH: Said = Said {
    title: "Zażółć gęślą jaźń: wieczór pieśni łemkowskich i huculskich z orkiestrą symfoniczną \
            Filharmonii Śląskiej oraz gośćmi zimą",
    location: "Dom Kultury „Źródło”, ul. Świętej Jadwigi Śląskiej 12, 34-300 Żywiec",
    name: "Małgorzata Święcicka-Gżegżółka",
    email: "malgorzata@example.pl",
    category: "Miejsca stojące, ulgowy",
    explanation: "Śpiewaczka zachorowała.\n\nPrzepraszamy.",
};

const GREEK: Said = Said {
    title: "Μια βραδιά με ρεμπέτικα τραγούδια της Σμύρνης και του Πειραιά, με τη Φιλαρμονική \
            Ορχήστρα Θεσσαλονίκης και άλλους φίλους",
    location: "Ωδείο Ηρώδου του Αττικού, Διονυσίου Αρεοπαγίτου, Αθήνα 105 55",
    name: "Ελένη Παπαδοπούλου-Χατζηγεωργίου",
    email: "eleni@example.gr",
    category: "Άνω διάζωμα, φοιτητικό",
    explanation: "Η τραγουδίστρια αρρώστησε.\n\nΛυπούμαστε.",
};

const UNBROKEN: Said = Said {
    title: "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverleihungszeremonienorchester\
            jubiläumsfestkonzertprogrammheft",
    location: "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch_Llanfairpwllgwyngyllgogerych",
    name: "Wolfeschlegelsteinhausenbergerdorffwelchevoralterenwarengewissenhaftschaferswessenschafe",
    email: "wolfeschlegelsteinhausenbergerdorffwelchevoralterenwarengewissen@a-mail-domain-of-that-length.example",
    category: "Rechtsschutzversicherungsgesellschaftenmitarbeiterermäßigungsstehplatz",
    explanation: "https://nightjar.example/news/2027/03/12/why-the-singer-is-ill-and-what-the-doctors-say-about-it",
};

const RIGHT_TO_LEFT: Said = Said {
    title: "🎸 מופע חי: ערב שירים 2027 🎸",
    location: "مسرح المدينة، شارع الحمرا 12، بيروت",
    name: "שרה כהן-לוי",
    email: "sara@example.org",
    category: "עמידה 1",
    explanation: "הזמרת חולה.\n\n😢",
};

impl Guest {
    /// For the others one of each kind is enough: their words differ, and not what is said around them.
    pub const fn has_every_shape(self) -> bool {
        matches!(self, Self::Plain | Self::Long | Self::Hostile)
    }

    pub const fn said(self) -> Said {
        match self {
            Self::Plain => PLAIN,
            Self::Long => LONG,
            Self::Hostile => HOSTILE,
            Self::Vietnamese => VIETNAMESE,
            Self::Polish => POLISH,
            Self::Greek => GREEK,
            Self::Unbroken => UNBROKEN,
            Self::RightToLeft => RIGHT_TO_LEFT,
        }
    }

    pub fn seller(self) -> Seller {
        let [name, address, tax_id, contact] = match self {
            Self::Plain => [
                "Nightjar Concerts s.r.o.",
                "Vodičkova 36\n110 00 Praha 1",
                "CZ12345678",
                "help@nightjar.example",
            ],
            Self::Long => [
                "Association of Friends of the Philharmonic Orchestra of the Great Northern Plains",
                "Vodičkova 36\n110 00 Praha 1\nCzechia",
                "CZ12345678",
                "https://nightjar.example/help/where-is-my-money-and-when-does-it-come-to-me",
            ],
            Self::Hostile => ["<i>x</i>", "", "", ""],
            Self::Vietnamese => [
                "Công ty TNHH Âm nhạc Sơn Ca",
                "12 Lý Thường Kiệt\nHoàn Kiếm, Hà Nội\nViệt Nam",
                "0101234567",
                "giupdo@sonca.example",
            ],
            Self::Polish => [
                "Stowarzyszenie Miłośników Pieśni „Żółw”",
                "ul. Źródlana 7\n34-300 Żywiec",
                "PL5531234567",
                "pomoc@zolw.example",
            ],
            Self::Greek => [
                "Φίλοι του Ρεμπέτικου Α.Ε.",
                "Ερμού 15\n105 63 Αθήνα",
                "EL123456789",
                "voithia@rebetiko.example",
            ],
            Self::Unbroken => [
                "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
                "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
                "ATU99999999",
                "https://nightjar.example/help/where_is_my_money_and_when_does_it_come_to_me_and_why_not_today",
            ],
            Self::RightToLeft => [
                "שירי הארץ בע״מ",
                "דיזנגוף 99\nתל אביב",
                "IL512345678",
                "help@example.org",
            ],
        };
        Seller {
            name: name.to_owned(),
            address: address.to_owned(),
            tax_id: tax_id.to_owned(),
            contact: contact.to_owned(),
        }
    }
}

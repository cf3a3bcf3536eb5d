"""Names that the sample organisation is made of: common ones of many languages, put together at random.

Where the script is not Latin, the romanised form stands beside the name.
"""

Name = tuple[str, str]
"""As written, and in Latin letters."""


def _latin(names: str) -> tuple[Name, ...]:
    spaced = (name.replace("_", " ") for name in names.split())
    return tuple((name, name) for name in spaced)


def _paired(names: str) -> tuple[Name, ...]:
    pairs = (each.split("/") for each in names.split())
    return tuple((written, romanised) for written, romanised in pairs)


LATIN_GIVEN = _latin("""
    Aaliyah Adaeze Agnieszka Aino Alejandro Ama Amélie Anders André Aoife Astrid Ayşe Bence Bianca
    Björn Bongani Bruno Camille Carlos Chiara Chloé Claudia Daniel Diego Dilara Dušan Eduardo Eilidh
    Elif Emeka Emma Enzo Erik Fatima Fernanda Filip Freya Gabriela Giulia Gökhan Grace Guðrún Hanna
    Henrik Ifeoma Ilse Imani Inês Ingrid Isabel Ivana Jakub James Jana Jasmin Joaquín João Jonas
    José Julia Kamal Karin Katarzyna Kofi Kwame Lars Laura Léa Liam Linh Lucía Łukasz Maja Malik
    Marek María Márton Mateus Mei Mia Mohammed Nadia Naïma Nia Niamh Noah Nuno Olivia Ömer Oscar
    Paolo Pedro Petra Priya Quỳnh Rafael Ramón Renée Rohan Rosa Ruth Samuel Sanjay Sébastien Seán
    Siobhán Sofía Søren Stefan Tariq Tereza Thandiwe Théo Tomás Uma Valentina Vera Víctor Wanjiru
    Xavier Yara Yusuf Zoë Zsófia Žofie
""")

LATIN_FAMILY = _latin("""
    Abubakar Adeyemi Aguilar Åkesson Alvarez Andersen Asante Banerjee Becker Bergström Bianchi
    Bouchard Brânză Byrne Çelik Chaudhry Costa Çınar Da_Silva Dąbrowski Demir D'Angelo Diallo
    Dlamini Dubois Eriksen Evans Fernández Fischer Fitzgerald Fontaine Gallagher García Gómez
    Grønland Gunnarsdóttir Hansen Haugen Hernández Horváth Huber Ibrahim Ivanović Jansen Jensen
    Johansson Jovanović Kaya Keller Kelly Kimura Kowalczyk Kovács Krüger Kučera Lefèvre Lindqvist
    López Łuczak MacDonald Mäkinen Marino Martins Mbeki Mensah Möller Moreau Mukherjee Müller Nagy
    Nguyễn Nielsen Novák Núñez Nwosu O'Brien O'Neill Obi Ødegaard Okafor Olsen Osei Özdemir
    Papadakis Patel Pereira Petrov Popescu Quesada Rahman Ramírez Rao Ribeiro Richter Romano Rossi
    Sánchez Santos Schäfer Schröder Şahin Silva Šimić Singh Ståhl Švec Szabó Taylor Thạch Torres
    Tremblay Van_Dijk Vargas Vella Virtanen Wagner Walsh Weiß Williams Wójcik Yıldız Zając Zhang
    Zieliński Župan
""")

EASTERN = "山田佐藤高橋伊藤渡辺王李陈刘黄김박이최"
"""Families whose names stand before the given name."""

OTHER_SCRIPTS = tuple(
    (_paired(given), _paired(family))
    for given, family in (
        (
            "Анна/Anna Дмитрий/Dmitri Олена/Olena Сергей/Sergei Юлия/Yulia Богдан/Bohdan",
            "Шевченко/Shevchenko Мельник/Melnyk Бондаренко/Bondarenko Коваленко/Kovalenko Ткаченко/Tkachenko",
        ),
        (
            "Ελένη/Eleni Γιώργος/Giorgos Κατερίνα/Katerina Νίκος/Nikos",
            "Βλάχου/Vlachou Γεωργίου/Georgiou Νικολάου/Nikolaou Ιωάννου/Ioannou",
        ),
        (
            "太郎/Taro 花子/Hanako 美咲/Misaki 健一/Kenichi 大輔/Daisuke",
            "山田/Yamada 佐藤/Sato 高橋/Takahashi 伊藤/Ito 渡辺/Watanabe",
        ),
        ("伟/Wei 芳/Fang 秀英/Xiuying 静/Jing 磊/Lei", "王/Wang 李/Li 陈/Chen 刘/Liu 黄/Huang"),
        ("민준/Minjun 서연/Seoyeon 지훈/Jihoon 수빈/Subin", "김/Kim 박/Park 이/Lee 최/Choi"),
        ("ليلى/Layla يوسف/Yusuf مريم/Maryam كريم/Karim", "حداد/Haddad خوري/Khoury منصور/Mansour"),
        ("נועה/Noa דוד/David יעל/Yael", "כהן/Cohen לוי/Levi מזרחי/Mizrahi"),
        ("आरव/Aarav अनन्या/Ananya रोहन/Rohan", "शर्मा/Sharma गुप्ता/Gupta वर्मा/Verma"),
    )
)

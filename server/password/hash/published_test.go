package hash

import "testing"

// published are hashes that the makers of the formats, or others who read them, published with their passwords.
var published = []made{
	// Firebase, and Supabase's spelling of it.
	{"Firebase", "firebase", "user1password", "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==" +
		"$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="},
	{"Firebase, safe in URLs", "firebase", "user1password", "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==" +
		"$42xEC-ixf3L2lw==$lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ=="},
	{"Supabase Auth", "", "mytestpassword", "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8xZnO1n14J3MjKj1b2g6AUCAlFwMw==" +
		"$C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw=="},

	// ASP.NET Core Identity.
	{"ASP.NET v2", "aspnet", "my password", "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg=="},
	{"ASP.NET v2", "aspnet", "my password", "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A=="},
	{"ASP.NET v3", "aspnet", "my password", "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw=="},
	{"ASP.NET v3, SHA-512, 50 iterations", "aspnet", "my password", "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw"},
	{"ASP.NET v3, SHA-512, 64 bytes", "aspnet", "my password",
		"AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw=="},
	{"ASP.NET v3, SHA-1", "aspnet", "my password", "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M"},
	{"ASP.NET v3, SHA-256, 250,000 iterations", "aspnet", "my password",
		"AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ="},

	// Spring Security, from the description of its DelegatingPasswordEncoder and its tests.
	{"Spring bcrypt", "", "password", "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG"},
	{"Spring noop", "", "password", "{noop}password"},
	{"Spring pbkdf2", "", "password", "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc"},
	{"Spring scrypt", "", "password", "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc="},
	{"Spring sha256", "", "password", "{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0"},
	{"Spring MD5", "", "abc123", "{MD5}{THIS_IS_A_SALT}a68aafd90299d0b137de28fb4bb68573"},
	{"Spring MD5 without salt", "spring", "password", "{MD5}5f4dcc3b5aa765d61d8327deb882cf99"},
	{"Spring MD5 with an empty salt", "spring", "password", "{MD5}{}f1026a66095fc2058c1f8771ed05d6da"},
	{"Spring SHA-1", "", "abc123", "{SHA-1}{THIS_IS_A_SALT}b2f50ffcbd3407fe9415c062d55f54731f340d32"},

	// Django, from the tests of its hashers.
	{"Django scrypt", "", "lètmein", "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="},
	{"Django scrypt, named", "django", "lètmein", "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="},

	// Drupal 7, and a user who came to it from Drupal 6.
	{"Drupal", "", "valid password", "$S$5TOxWPdvJRs0P/xZBdrrPlGgzViOS0drHu3jaIjitesfttrp18bk"},
	{"Drupal", "", "password", "$S$DNX2.wYzcK0HRWPjbbA2xXbHXsOizN.WxHYcn6o.KMwRyTGLtStx"},
	{"Drupal from 6", "drupal", "valid password", "U$S$5vNHDQyLqCTvsYBLWBUWXJWhA0m3DTpBh04acFEOGB.bKBclhKgo"},
	{"Drupal from 6", "", "pouette1234", "U$S$9c47LGZuhR6TvhRQXzymkJIQ3mXthUCc6KDEGTt4B7eOL/H9Ykuy"},

	// OpenBSD's and Openwall's bcrypt, with the sign extension bug and without.
	{"bcrypt 2x", "", "\xa3", "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
	{"bcrypt 2y", "", "\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},

	{"phpass", "", "test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"},
	{"Keycloak before 8", "keycloak", "password", `{"type":"password","hashedSaltedValue":"8EkYJDaKEvFpp6BXn2PuqAlELD52rfrmCObD8y3v+1Qru66B5de2K3BWjHQ3NaUxiJCzhHgzbwf+OJQmxk2lhw==","salt":"c2FsdHNhbHRzYWx0c2FsdA==","hashIterations":100,"algorithm":"pbkdf2-sha256"}`},
}

func TestPublishedHashes(t *testing.T) {
	for _, m := range published {
		checkMade(t, m)
	}
}

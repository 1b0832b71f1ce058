package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RedactorTest {
    private static final Redactor REDACTOR = Redactor.of(List.of("p\"4/s+s&w <o>'rd", "short-one"));

    @ParameterizedTest
    @ValueSource(
            strings = {
                "p\"4/s+s&w <o>'rd",
                "{\"error\": \"p\\\"4/s+s&w <o>'rd\"}",
                "{\"error\": \"p\\\"4\\/s+s&w <o>'rd\"}",
                "<fault>p\"4/s+s&amp;w &lt;o&gt;'rd</fault>",
                "<fault>p&quot;4/s+s&amp;w &lt;o&gt;'rd</fault>",
                "<fault>p&quot;4/s+s&amp;w &lt;o&gt;&apos;rd</fault>",
                "<fault>p&#34;4/s+s&amp;w &lt;o&gt;&#39;rd</fault>",
                "POST /token?secret=p%224%2Fs%2Bs%26w+%3Co%3E%27rd&more",
                "POST /token?secret=p%224%2Fs%2Bs%26w%20%3Co%3E%27rd&more",
                "POST /token?secret=p%224%2fs%2bs%26w+%3co%3e%27rd&more",
                "token: cCI0L3MrcyZ3IDxvPidyZA==",
                "token: cCI0L3MrcyZ3IDxvPidyZA"
            })
    void aSecretIsTakenOutHoweverItIsWritten(String text) {
        assertThat(REDACTOR.redact(text)).contains("***").doesNotContain("4/s", "4%2", "4\\/s", "L3Mrc");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{authorization=Basic dXNlcjpwYXNzd29yZDE=, accept=text/xml}",
                "authorization: Bearer ya29.a0AfH6SMBx-4711_xyz",
                "Authorization: SSWS 00QCjAl4MlV-WPXM",
                "assertion=eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJlbGRlciJ9.c2lnbmF0dXJl&grant_type=jwt"
            })
    void whatGivesAccessByItsFormIsTakenOutThoughNobodyKnewIt(String text) {
        assertThat(REDACTOR.redact(text)).contains("***").doesNotContain("dXNlcj", "ya29", "00QCj", "eyJ", "c2lnbmF0");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "basic authentication is switched off (expected: bearer tokens)",
                "GET /api/v1/users: 401: Bearer token is missing",
                "DN ou=basic,dc=corp,dc=test: no such object"
            })
    void whatIsSaidAboutCredentialsStays(String text) {
        assertThat(REDACTOR.redact(text)).isEqualTo(text);
    }

    @Test
    void settingsSayByTheirNamesWhatIsSecret() {
        Redactor redactor = Redactor.ofSettings(Map.of(
                "OKTA_API_TOKEN",
                "token-4711",
                "AWS_SECRET_ACCESS_KEY",
                "key-4711",
                "OKTA_DOMAIN",
                "example.okta.com"));
        assertThat(redactor.redact("example.okta.com said token-4711, key-4711"))
                .isEqualTo("example.okta.com said ***, ***");
    }
}

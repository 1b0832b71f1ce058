package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.fetch.ReadFailure;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Profiles of the AWS command line's files, by the SDK. */
class AwsProfileTest {
    private final Properties before = (Properties) System.getProperties().clone();

    @BeforeEach
    void files(@TempDir Path folder) throws IOException {
        Path config = Files.writeString(folder.resolve("config"), """
                [profile corp]
                sso_session = corp
                sso_account_id = 123456789012
                sso_role_name = ReadOnly

                [sso-session corp]
                sso_region = us-east-1
                sso_start_url = https://login.example.com/start

                [profile keys]
                aws_access_key_id = AKIAPROFILE
                aws_secret_access_key = of-no-use-anywhere
                """);
        System.setProperty("aws.configFile", config.toString());
        System.setProperty("aws.sharedCredentialsFile", folder.resolve("none").toString());
        // Nobody's logins but those of the test, and no machine to ask.
        System.setProperty("user.home", folder.toString());
        System.setProperty("aws.disableEc2Metadata", "true");
    }

    @AfterEach
    void asBefore() {
        for (String name :
                List.of("aws.configFile", "aws.sharedCredentialsFile", "user.home", "aws.disableEc2Metadata")) {
            if (before.containsKey(name)) {
                System.setProperty(name, before.getProperty(name));
            } else {
                System.clearProperty(name);
            }
        }
    }

    @Test
    void aProfileOfTheIdentityCenterWantsALoginAndNoFurtherLibrary() {
        assertThatThrownBy(() -> connect(Map.of("AWS_PROFILE", "corp")))
                .isInstanceOf(ReadFailure.class)
                .hasMessageContaining("SSO")
                .hasMessageNotContaining("class path")
                .hasMessageNotContaining("classpath");
    }

    @Test
    void theKeysOfAProfileAreSigned() throws Exception {
        try (ScriptedServer aws = ScriptedServer.start(getClass())) {
            AwsAnswers.script(aws);
            connect(Map.of("AWS_PROFILE", "keys", "AWS_ENDPOINT_URL", aws.url()));
            assertThat(aws.asked()).hasSize(1).allMatch(asked -> asked.header("Authorization")
                    .contains("Credential=AKIAPROFILE/"));
        }
    }

    private static void connect(Map<String, String> more) throws Exception {
        Map<String, String> settings = new HashMap<>(more);
        settings.put("AWS_REGIONS", "us-east-1");
        new AwsProvider().connect(Settings.of(settings)).close();
    }
}

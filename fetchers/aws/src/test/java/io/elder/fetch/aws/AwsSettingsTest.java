package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.runtime.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AwsSettingsTest {
    private static final String FIRST = "arn:aws:iam::111111111111:role/First";
    private static final String SECOND = "arn:aws-cn:iam::222222222222:role/path/Second";

    @Test
    void theDocumentedRegionsAreReadWhereNoneAreNamed() {
        assertThat(read().regions()).containsExactly("us-east-1", "us-west-2");
        assertThat(read("AWS_REGION", "eu-west-1").regions()).containsExactly("eu-west-1");
        assertThat(read("AWS_REGION", "eu-west-1", "AWS_REGIONS", "ap-south-1, ap-south-1,us-gov-west-1")
                        .regions())
                .containsExactly("ap-south-1", "us-gov-west-1");
        assertThat(read("AWS_REGIONS", "ALL").regions()).isEmpty();
    }

    @Test
    void theFirstRegionIsAskedAboutCredentials() {
        assertThat(read("AWS_REGIONS", "cn-north-1").home()).isEqualTo("cn-north-1");
        assertThat(read("AWS_REGIONS", "all").home()).isEqualTo("us-east-1");
        assertThat(read("AWS_REGIONS", "all", "AWS_DEFAULT_REGION", "eu-west-1").home())
                .isEqualTo("eu-west-1");
    }

    @Test
    void everyWrongValueIsSaidAtOnce() {
        assertThatThrownBy(() -> read(
                        "AWS_REGIONS", "Frankfurt",
                        "AWS_SERVICES", "ec2,mainframe",
                        "AWS_ROLE_ARN", "admin",
                        "AWS_ACCESS_KEY_ID", "AKIA1",
                        "AWS_PAGE_SIZE", "0",
                        "AWS_ENDPOINT_URL", "nowhere",
                        "AWS_ROLE_SESSION_NAME", "a b"))
                .hasMessageContaining("AWS_REGIONS: Frankfurt (expected: all, or regions such as eu-west-1)")
                .hasMessageContaining("AWS_SERVICES: mainframe (expected: ec2, iam)")
                .hasMessageContaining("AWS_ROLE_ARN: admin")
                .hasMessageContaining("AWS_SECRET_ACCESS_KEY: not set")
                .hasMessageContaining("AWS_PAGE_SIZE: 0 (expected: 1 to 1000)")
                .hasMessageContaining("AWS_ENDPOINT_URL: nowhere")
                .hasMessageContaining("AWS_ROLE_SESSION_NAME: a b");
    }

    @Test
    void rolesAreAssumedInOrderAndAnArnOfAMembersRoleIsItsName() {
        AwsSettings aws = read(
                "AWS_ROLE_ARN",
                FIRST,
                "AWS_ASSUME_ROLE_ARN",
                SECOND,
                "AWS_CROSS_ACCOUNT_ROLE",
                "arn:aws:iam::*:role/R");
        assertThat(aws.roles()).containsExactly(FIRST, SECOND);
        assertThat(aws.memberRole()).isEqualTo("R");
        assertThat(read().memberRole()).isEqualTo("ElderDiscoveryRole");
    }

    @Test
    void keysOfAJobAreNotMixedWithWhatEksPutsIntoTheEnvironment(@TempDir Path folder) throws IOException {
        Path token = Files.writeString(folder.resolve("token"), "jwt");
        String[] eks = {"AWS_WEB_IDENTITY_TOKEN_FILE", token.toString(), "AWS_ROLE_ARN", FIRST};
        assertThat(read(eks).webIdentity()).contains(token);
        assertThat(read(eks).roles()).containsExactly(FIRST);

        AwsSettings job = read(
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                token.toString(),
                "AWS_ROLE_ARN",
                FIRST,
                "AWS_ASSUME_ROLE_ARN",
                SECOND,
                "AWS_ACCESS_KEY_ID",
                "AKIA1",
                "AWS_SECRET_ACCESS_KEY",
                "s",
                "AWS_SESSION_TOKEN",
                "of-others");
        assertThat(job.webIdentity()).isEmpty();
        assertThat(job.roles()).containsExactly(SECOND);
        assertThat(job.keys().orElseThrow().token()).isEmpty();
        assertThat(read("AWS_ACCESS_KEY_ID", "ASIA1", "AWS_SECRET_ACCESS_KEY", "s", "AWS_SESSION_TOKEN", "t")
                        .keys()
                        .orElseThrow()
                        .token())
                .isPresent();
    }

    @Test
    void anOrganizationIsReadHoweverItIsSpelt() {
        assertThat(read("AWS_ORGANIZATION_ENABLED", "true").isOrganization()).isTrue();
        assertThat(read("AWS_ORGANIZATION", "true").isOrganization()).isTrue();
        assertThat(read("AWS_ORGANIZATION", "false", "AWS_ORGANIZATION_ENABLED", "true")
                        .isOrganization())
                .isFalse();
    }

    private static AwsSettings read(String... namesAndValues) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            values.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        Settings settings = Settings.of(values);
        AwsSettings aws = AwsSettings.from(settings, Set.copyOf(List.of("ec2", "iam")));
        settings.check();
        return aws;
    }
}

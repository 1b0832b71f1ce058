package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Accounts of an organization: 123456789012 asks, 222222222222 lets it in, 333333333333 does not, 444444444444 is suspended. */
class AwsOrganizationTest {
    private ScriptedServer server;

    @BeforeEach
    void start() throws Exception {
        server = ScriptedServer.start(getClass());
        server.on("POST /?Action=GetCallerIdentity", "answers/caller.xml");
        target("ListAccounts", "\"NextToken\"", false, "organization/no-accounts.json");
        target("ListAccounts", "\"NextToken\":\"2\"", true, "organization/accounts.json");
        target("DescribeAccount", "222222222222", true, "organization/account-2.json");
        target("DescribeAccount", "333333333333", true, "organization/account-3.json");
        target("DescribeAccount", "123456789012", true, "organization/account-1.json");
        assumeRole("222222222222", server.ok("organization/session.xml"));
        assumeRole("333333333333", denied());
        server.on("POST /?Action=DescribeInstances", "answers/instances-2.xml");
        server.on("POST /?Action=DescribeRegions", "organization/regions.xml");
    }

    private void target(String operation, String text, boolean contains, String fixture) {
        server.page(
                "",
                asked -> asked.header("X-Amz-Target").endsWith("." + operation)
                        && asked.body().replace(" ", "").contains(text) == contains,
                fixture);
    }

    private void assumeRole(String account, Answer answer) {
        server.on("POST /?Action=AssumeRole&ExternalId=ours&RoleArn=arn:aws:iam::" + account + ":role/Reader", answer);
    }

    private static Answer denied() {
        return Answer.of(
                403,
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::333333333333:role/Reader</Message></Error></ErrorResponse>");
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void everyActiveAccountIsReadAndOneThatLetsNobodyInFailsAlone() throws InterruptedException {
        RecordingPublisher published = read(Map.of("AWS_REGIONS", "eu-west-1"));
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope)
                .containsExactly("aws/333333333333/eu-west-1/ec2_instance");
        assertThat(published.events(ScopeFailed.class).getFirst())
                .satisfies(failed -> assertThat(failed.getReason()).isEqualTo("forbidden"))
                .satisfies(failed -> assertThat(failed.getMessage()).contains("arn:aws:iam::333333333333:role/Reader"));
        assertThat(published.sealedRecords())
                .extracting(
                        record -> record.key().account() + " " + record.key().kind())
                .containsExactlyInAnyOrder(
                        "123456789012 aws_account",
                        "222222222222 aws_account",
                        "333333333333 aws_account",
                        "123456789012 aws_region",
                        "222222222222 aws_region",
                        "333333333333 aws_region",
                        "123456789012 ec2_instance",
                        "222222222222 ec2_instance");
        assertThat(published.sealedRecords())
                .filteredOn(record -> record.key().kind().equals("aws_account"))
                .anyMatch(record -> record.payload().contains("\"Name\":\"second\""));
    }

    @Test
    void aMemberIsAskedWithTheCredentialsOfItsRole() throws InterruptedException {
        read(Map.of("AWS_REGIONS", "eu-west-1"));
        assertThat(server.asked().stream().filter(AwsOrganizationTest::isAboutInstances))
                .extracting(asked -> asked.header("Authorization").replaceAll(".*Credential=(\\w+)/.*", "$1"))
                .containsExactlyInAnyOrder("AKIAIOSFODNN7EXAMPLE", "ASIASECONDEXAMPLE");
        assertThat(server.asked())
                .filteredOn(asked -> "AssumeRole".equals(asked.parameters().get("Action")))
                .filteredOn(asked -> asked.parameters().get("RoleArn").contains("222222222222"))
                .as("one session serves all")
                .hasSize(1);
    }

    @Test
    void allRegionsAreThoseThatEachAccountHasEnabled() throws Exception {
        try (TestRun<AwsClient> run = run(Map.of("AWS_REGIONS", "all"))) {
            assertThat(run.plan())
                    .filteredOn(task -> task.getKind().equals("ec2_instance"))
                    .extracting(PlannedTask::getAccount, PlannedTask::getRegion)
                    .containsExactlyInAnyOrder(
                            tuple("123456789012", "ap-south-1"),
                            tuple("123456789012", "us-east-1"),
                            tuple("222222222222", "ap-south-1"),
                            tuple("222222222222", "us-east-1"),
                            // Nobody may ask this one: it is planned like the first, and fails.
                            tuple("333333333333", "ap-south-1"),
                            tuple("333333333333", "us-east-1"));
        }
    }

    @Test
    void rolesAreAssumedOneAfterTheOther() throws Exception {
        server.on(
                "POST /?Action=AssumeRole&RoleArn=arn:aws:iam::222222222222:role/First",
                server.ok("organization/session.xml"));
        server.page(
                "",
                asked -> String.valueOf(asked.parameters().get("RoleArn")).endsWith("role/Second")
                        && asked.header("Authorization").contains("ASIASECONDEXAMPLE"),
                "organization/session.xml");
        try (AwsClient aws = new AwsProvider()
                .connect(Settings.of(settings(Map.of(
                        "AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/First",
                        "AWS_ASSUME_ROLE_ARN", "arn:aws:iam::222222222222:role/Second"))))) {
            assertThat(new AwsProvider().identity(aws))
                    .isEqualTo("account 123456789012, arn:aws:iam::123456789012:user/elder");
        }
    }

    @Test
    void aTokenFileIsExchangedForASession(@TempDir Path folder) throws Exception {
        Path token = Files.writeString(folder.resolve("token"), "token-of-the-pod");
        server.on(
                "POST /?Action=AssumeRoleWithWebIdentity&WebIdentityToken=token-of-the-pod&RoleArn=arn:aws:iam::222222222222:role/Pod",
                server.ok("organization/web-identity.xml"));
        Settings settings = Settings.of(Map.of(
                "AWS_ENDPOINT_URL", server.url(),
                "AWS_WEB_IDENTITY_TOKEN_FILE", token.toString(),
                "AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/Pod"));
        try (AwsClient aws = new AwsProvider().connect(settings)) {
            assertThat(aws.account()).isEqualTo("123456789012");
        }
        assertThat(server.asked().getLast().header("Authorization")).contains("Credential=ASIASECONDEXAMPLE/");
    }

    @Test
    void notMoreAccountsAreReadAtOnceThanAreWanted() throws Exception {
        try (AwsClient aws = new AwsProvider().connect(Settings.of(settings(Map.of("AWS_PARALLEL_ACCOUNTS", "1"))))) {
            CountDownLatch entered = new CountDownLatch(1);
            Thread second;
            try (AwsClient.Reading first = aws.reading("1");
                    AwsClient.Reading again = aws.reading("1")) {
                second = Thread.ofVirtual().start(() -> {
                    try (AwsClient.Reading other = aws.reading("2")) {
                        entered.countDown();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
                assertThat(entered.await(200, TimeUnit.MILLISECONDS)).isFalse();
            }
            assertThat(entered.await(10, TimeUnit.SECONDS)).isTrue();
            second.join();
        }
    }

    private static boolean isAboutInstances(Asked asked) {
        return "DescribeInstances".equals(asked.parameters().get("Action"));
    }

    private RecordingPublisher read(Map<String, String> more) throws InterruptedException {
        try (TestRun<AwsClient> run = run(more)) {
            return run.everything();
        }
    }

    private TestRun<AwsClient> run(Map<String, String> more) {
        return new TestRun<>(new AwsProvider(), Settings.of(settings(more)), List.of());
    }

    private Map<String, String> settings(Map<String, String> more) {
        Map<String, String> settings = new HashMap<>(Map.of(
                "AWS_ENDPOINT_URL", server.url(),
                "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY", "secret-of-the-test",
                "AWS_ORGANIZATION", "true",
                "AWS_CROSS_ACCOUNT_ROLE", "arn:aws:iam::123456789012:role/Reader",
                "AWS_EXTERNAL_ID", "ours",
                "AWS_SERVICES", "ec2"));
        settings.putAll(more);
        return settings;
    }
}

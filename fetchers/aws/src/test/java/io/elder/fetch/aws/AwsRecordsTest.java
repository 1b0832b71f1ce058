package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.Resource;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What leaves the fetcher, what it is made into, and what is asked for. */
class AwsRecordsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final String CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/";
    private static final String SERVICE = "arn:aws:ecs:us-east-1:123456789012:service/";

    private ScriptedServer server;

    @BeforeEach
    void start() throws Exception {
        server = ScriptedServer.start(getClass());
        AwsAnswers.script(server);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void everyAnswerIsMappedOntoRows() throws InterruptedException {
        RecordingPublisher published = read(Map.of()).published();
        assertThat(published.sealedRecords()).hasSizeGreaterThan(40).allSatisfy(record -> assertThat(
                        Mappings.map(record.key().toString(), record.payload()))
                .as(record.key().toString())
                .isNotEmpty());
    }

    @Test
    void secretsStayBehindAndTheirNamesDoNot() throws Exception {
        List<RecordingPublisher.Written> records = read(Map.of()).published().sealedRecords();
        assertThat(records).noneMatch(record -> record.payload().contains("canary"));
        assertThat(first(records, "lambda_function").at("/Environment/VariableNames"))
                .extracting(JsonNode::asText)
                .containsExactlyInAnyOrder("DB_PASSWORD", "STAGE");
        assertThat(first(records, "cloudfront_distribution")
                        .at("/Origins/Items/0/CustomHeaders/Items/0/HeaderName")
                        .asText())
                .isEqualTo("X-From");
        assertThat(first(records, "ecs_service")
                        .at("/deployments/0/serviceConnectConfiguration/logConfiguration/optionNames"))
                .extracting(JsonNode::asText)
                .containsExactlyInAnyOrder("splunk-token", "splunk-url");
    }

    @Test
    void servicesOfTheSameShortArnAreOneOfEachCluster() throws Exception {
        restart(aws -> {
            aws.on(
                    ecs("ListClusters"),
                    Answer.of(200, "{\"clusterArns\": [\"%1$sc1\", \"%1$sc2\"]}".formatted(CLUSTER)));
            aws.on(
                    ecs("DescribeClusters"),
                    Answer.of(
                            200,
                            "{\"clusters\": [{\"clusterArn\": \"%1$sc1\"}, {\"clusterArn\": \"%1$sc2\"}]}"
                                    .formatted(CLUSTER)));
            for (String cluster : List.of("c1", "c2")) {
                aws.on(
                        ecs("DescribeServices")
                                .and(asked -> asked.parameters().get("cluster").endsWith(cluster)),
                        Answer.of(
                                200,
                                "{\"services\": [{\"serviceArn\": \"%1$sweb\", \"clusterArn\": \"%2$s%3$s\"}, {\"serviceArn\": \"%1$s%3$s/api\", \"clusterArn\": \"%2$s%3$s\"}]}"
                                        .formatted(SERVICE, CLUSTER, cluster)));
            }
        });
        assertThat(read(Map.of("AWS_SERVICES", "ecs")).published().sealedRecords())
                .filteredOn(record -> record.key().kind().equals("ecs_service"))
                .extracting(record -> record.key().id())
                .containsExactlyInAnyOrder(
                        SERVICE + "c1/web", SERVICE + "c1/api", SERVICE + "c2/web", SERVICE + "c2/api");
    }

    @ParameterizedTest
    @ValueSource(strings = {"DescribeClusters", "DescribeServices"})
    void whatEcsDidNotTellIsNotGoneUnlessItSaysSo(String request) throws Exception {
        String failures = "{\"clusters\": [], \"services\": [], \"failures\": [{\"arn\": \"c\", \"reason\": \"%s\"}]}";
        restart(aws -> aws.on(ecs(request), Answer.of(200, failures.formatted("ACCESS_DENIED"))));
        assertThat(run(Map.of("AWS_SERVICES", "ecs")).published().events(ScopeFailed.class))
                .isNotEmpty()
                .allSatisfy(failed -> assertThat(failed.getReason()).isEqualTo("incomplete"))
                .anySatisfy(
                        failed -> assertThat(failed.getMessage()).isEqualTo(request + " left out c: ACCESS_DENIED"));
        restart(aws -> aws.on(ecs(request), Answer.of(200, failures.formatted("MISSING"))));
        read(Map.of("AWS_SERVICES", "ecs"));
    }

    @ParameterizedTest
    @CsvSource({
        "iam_user, POST /?Action=ListUsers, users",
        "iam_user, POST /?Action=ListAccessKeys, access-keys",
        "iam_user, POST /?Action=ListGroupsForUser, groups-of-user",
        "iam_role, POST /?Action=ListRoles, roles",
        "iam_group, POST /?Action=ListGroups, groups",
        "iam_group_member, POST /?Action=GetGroup, group",
        "cloudfront_distribution, GET /2020-05-31/distribution?MaxItems=100, distributions",
        "route53_zone, GET /2013-04-01/hostedzone?maxitems=100, zones",
    })
    void aListThatWasCutAndDoesNotSayWhereItGoesOnIsIncomplete(String kind, String request, String fixture)
            throws Exception {
        server.on(request + "&x-none", cut(fixture, ""));
        List<ScopeFailed> failed = run(Map.of("AWS_SERVICES", "iam,cloudfront,route53"))
                .published()
                .events(ScopeFailed.class);
        assertThat(failed)
                .filteredOn(each -> each.getScope().endsWith("/" + kind))
                .extracting(ScopeFailed::getReason)
                .containsExactly("incomplete");
    }

    @Test
    void everyKeyAndGroupOfAUserIsRead() throws Exception {
        server.on("POST /?Action=ListAccessKeys&Marker", cut("access-keys", "<Marker>page-2</Marker>"));
        server.on("POST /?Action=ListGroupsForUser&Marker", cut("groups-of-user", "<Marker>page-2</Marker>"));
        server.on(
                "POST /?Action=ListAccessKeys&Marker=page-2",
                Answer.of(200, server.text("answers/access-keys.xml").replace("AKIAI44QH8DHBEXAMPLE", "AKIASECOND")));
        server.on(
                "POST /?Action=ListGroupsForUser&Marker=page-2",
                Answer.of(200, server.text("answers/groups-of-user.xml").replace("admins", "auditors")));
        JsonNode user = first(read(Map.of("AWS_SERVICES", "iam")).published().sealedRecords(), "iam_user");
        assertThat(user.get("AccessKeys").findValuesAsText("AccessKeyId"))
                .containsExactly("AKIAI44QH8DHBEXAMPLE", "AKIASECOND");
        assertThat(user.get("Groups")).extracting(JsonNode::asText).containsExactly("admins", "auditors");
    }

    /** A page that says that there are more. */
    private Answer cut(String fixture, String marker) {
        return Answer.of(
                200,
                server.text("answers/" + fixture + ".xml")
                        .replace("<Marker/>", "")
                        .replaceFirst("<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>" + marker));
    }

    private static Predicate<Asked> ecs(String request) {
        return asked -> asked.header("X-Amz-Target").equals("AmazonEC2ContainerServiceV20141113." + request);
    }

    @Test
    void rolesOfAwsItselfAreLeftOut() throws Exception {
        assertThat(read(Map.of()).published().sealedRecords())
                .filteredOn(record -> record.key().kind().equals("iam_role"))
                .extracting(record -> record.key().id())
                .containsExactly("arn:aws:iam::123456789012:role/fn");
    }

    @Test
    void anObjectIsWhatTheApiSaysAndWhereItWasFound() throws Exception {
        JsonNode volume = first(read(Map.of()).published().sealedRecords(), "ebs_volume");
        assertThat(volume.at("/Attachments/0/InstanceId").asText()).isEqualTo("i-1234567890abcdef0");
        assertThat(volume.get("CreateTime").asText()).isEqualTo("2013-12-18T22:35:00.084Z");
        assertThat(volume.get("Size").isIntegralNumber()).isTrue();
        assertThat(volume.get("elder")).isEqualTo(JSON.readTree("{\"region\": \"us-east-1\", \"partition\": \"aws\"}"));
    }

    @Test
    void tagsThatAnApiTellsOneByOneAreInTheRecords() throws Exception {
        List<RecordingPublisher.Written> records = read(Map.of()).published().sealedRecords();
        for (String kind : List.of(
                "cloudfront_distribution",
                "dynamodb_table",
                "elasticache_cluster",
                "elasticache_replication_group",
                "lambda_function",
                "route53_zone",
                "sns_topic",
                "sqs_queue")) {
            assertThat(first(records, kind).path("Tags").findValuesAsText("Value"))
                    .as(kind)
                    .contains("shop");
        }
    }

    @Test
    void aDetailThatIsForbiddenIsMissingAndTheBucketIsThere() throws Exception {
        server.on(
                "GET /logs?encryption=&x-none",
                Answer.of(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"));
        RecordingPublisher published = read(Map.of("AWS_SERVICES", "s3")).published();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        JsonNode bucket = first(published.sealedRecords(), "s3_bucket");
        assertThat(bucket.at("/elder/forbidden/0").asText()).isEqualTo("ServerSideEncryptionConfiguration");
        assertThat(bucket.get("PublicAccessBlockConfiguration")
                        .get("BlockPublicAcls")
                        .asBoolean())
                .isTrue();
    }

    @Test
    void onlyTheServicesThatAreNamedAreRead() throws InterruptedException {
        TestRun<AwsClient> run = read(Map.of("AWS_SERVICES", "ec2,iam"));
        assertThat(run.planned().stream().map(PlannedTask::getKind))
                .containsExactlyInAnyOrder(
                        "aws_account", "aws_region", "ec2_instance", "iam_user", "iam_role", "iam_group");
        assertThat(server.asked()).noneMatch(asked -> asked.path().startsWith("/2015-03-31"));
    }

    /** The bounds of the APIs: botocore's service models. */
    @Test
    void pagesKeepWithinWhatEachApiAllows() throws InterruptedException {
        read(Map.of("AWS_PAGE_SIZE", "1"));
        assertThat(sizes())
                .containsAllEntriesOf(Map.of(
                        "DescribeInstances",
                        "5",
                        "DescribeDBInstances",
                        "20",
                        "ListUsers",
                        "1",
                        "DescribeLoadBalancers",
                        "1"));
        stopAndStart();
        read(Map.of("AWS_PAGE_SIZE", "1000"));
        assertThat(sizes())
                .containsAllEntriesOf(Map.of(
                        "DescribeInstances",
                        "1000",
                        "DescribeVolumes",
                        "500",
                        "DescribeRouteTables",
                        "100",
                        "DescribeDBInstances",
                        "100",
                        "DescribeCacheClusters",
                        "100",
                        "ListUsers",
                        "1000",
                        "DescribeLoadBalancers",
                        "400"));
        assertThat(server.asked())
                .filteredOn(asked -> asked.path().equals("/2015-03-31/functions"))
                .allMatch(asked -> asked.parameters().get("MaxItems").equals("50"));
    }

    @Test
    void everyRequestIsSignedForItsServiceAndRegion() throws InterruptedException {
        read(Map.of());
        assertThat(server.asked()).allMatch(asked -> asked.header("Authorization")
                .startsWith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"));
        Set<String> scopes = server.asked().stream()
                .map(asked -> asked.header("Authorization").replaceAll(".*?/\\d{8}/([^/]+/[^/]+)/aws4_request.*", "$1"))
                .collect(Collectors.toSet());
        assertThat(scopes).contains("us-east-1/ec2", "us-east-1/iam", "us-east-1/route53", "us-west-2/s3");
    }

    private Map<String, String> sizes() {
        Map<String, String> sizes = new HashMap<>();
        server.asked().forEach(asked -> Stream.of("MaxResults", "MaxRecords", "MaxItems", "PageSize")
                .filter(asked.parameters()::containsKey)
                .forEach(name -> sizes.put(
                        asked.parameters().getOrDefault("Action", asked.path()),
                        asked.parameters().get(name))));
        return sizes;
    }

    /** The first of two routes that are told by a header serves. */
    private void restart(Consumer<ScriptedServer> first) throws Exception {
        stop();
        server = ScriptedServer.start(getClass());
        first.accept(server);
        AwsAnswers.script(server);
    }

    private void stopAndStart() throws InterruptedException {
        stop();
        try {
            start();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private TestRun<AwsClient> run(Map<String, String> more) throws InterruptedException {
        Map<String, String> settings = new HashMap<>(Map.of(
                "AWS_ENDPOINT_URL", server.url(),
                "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY", "secret-of-the-test",
                "AWS_REGIONS", "us-east-1"));
        settings.putAll(more);
        try (TestRun<AwsClient> run = new TestRun<>(new AwsProvider(), Settings.of(settings), Set.of())) {
            run.everything();
            return run;
        }
    }

    private TestRun<AwsClient> read(Map<String, String> more) throws InterruptedException {
        TestRun<AwsClient> run = run(more);
        assertThat(run.published().events(ScopeFailed.class)).isEmpty();
        Set<String> roots = new AwsProvider()
                .resources().stream()
                        .filter(Resource.Root.class::isInstance)
                        .map(Resource::kind)
                        .collect(Collectors.toSet());
        assertThat(roots)
                .containsAll(run.planned().stream().map(PlannedTask::getKind).toList());
        return run;
    }

    private static JsonNode first(List<RecordingPublisher.Written> records, String kind)
            throws JsonProcessingException {
        return JSON.readTree(records.stream()
                .filter(record -> record.key().kind().equals(kind))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + kind))
                .payload());
    }
}

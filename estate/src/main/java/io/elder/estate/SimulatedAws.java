package io.elder.estate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company.Machine;
import io.elder.estate.Company.Person;
import io.elder.estate.Company.Place;
import io.elder.estate.Company.State;
import io.elder.estate.Company.Team;
import io.elder.estate.Site.Call;
import io.elder.estate.Site.Reply;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Amazon Web Services: one account in one region, with the company's machines there and IAM users for those who operate
 * them. A request says in its signature which service and region it is for; the signature itself is not checked.
 */
public final class SimulatedAws implements SimulatedSystem {
    private static final String ACCOUNT = "123456789012";
    private static final String REGION = "eu-central-1";
    private static final String KEY = "AKIAEXAMPLEESTATE000";

    /** @see <a href="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html">Authorization</a> */
    private static final Pattern CREDENTIAL =
            Pattern.compile("AWS4-HMAC-SHA256 Credential=(\\w+)/\\d{8}/([\\w-]+)/([\\w-]+)/aws4_request,.*");

    private static final Shape INSTANCE = new Shape("""
            {reservationId: 'r-00000{hex}', ownerId: '{account}', instancesSet: [
              {instanceId: 'i-00000{hex}', imageId: 'ami-0e1de0000000000aa', instanceState: {code: '{code}', name: '{state}'},
               instanceType: 'm7i.{size}', launchTime: '{since}', placement: {availabilityZone: '{region}a'},
               privateIpAddress: '{ip}', subnetId: '{subnet}', vpcId: '{vpc}', architecture: 'x86_64',
               platformDetails: 'Linux/UNIX', rootDeviceName: '/dev/xvda',
               blockDeviceMapping: [{deviceName: '/dev/xvda', ebs: {volumeId: 'vol-00000{hex}', status: 'attached',
                 attachTime: '{since}', deleteOnTermination: true}}],
               networkInterfaceSet: [{networkInterfaceId: 'eni-00000{hex}', status: 'in-use', privateIpAddress: '{ip}',
                 subnetId: '{subnet}', vpcId: '{vpc}'}],
               groupSet: [{groupId: '{group}', groupName: 'machines'}],
               iamInstanceProfile: {arn: 'arn:aws:iam::{account}:instance-profile/{service}'},
               tagSet: [{key: 'Name', value: '{name}'}, {key: 'environment', value: '{environment}'}]}]}""");

    private static final Shape VOLUME = new Shape("""
            {volumeId: 'vol-00000{hex}', size: '{disk}', volumeType: 'gp3', status: 'in-use', createTime: '{since}',
             availabilityZone: '{region}a', encrypted: true, iops: 3000, throughput: 125,
             attachmentSet: [{volumeId: 'vol-00000{hex}', instanceId: 'i-00000{hex}', device: '/dev/xvda',
               status: 'attached', attachTime: '{since}', deleteOnTermination: true}],
             tagSet: [{key: 'Name', value: '{name}'}]}""");

    private static final Shape INTERFACE = new Shape("""
            {networkInterfaceId: 'eni-00000{hex}', interfaceType: 'interface', status: 'in-use', privateIpAddress: '{ip}',
             subnetId: '{subnet}', vpcId: '{vpc}', availabilityZone: '{region}a', ownerId: '{account}',
             attachment: {attachmentId: 'eni-attach-00000{hex}', instanceId: 'i-00000{hex}', deviceIndex: 0,
               status: 'attached', attachTime: '{since}', deleteOnTermination: true},
             groupSet: [{groupId: '{group}', groupName: 'machines'}], tagSet: [{key: 'Name', value: '{name}'}]}""");

    private static final Shape VPC = new Shape("""
            {vpcId: '{vpc}', ownerId: '{account}', state: 'available', cidrBlock: '10.1.0.0/16', isDefault: false,
             tagSet: [{key: 'Name', value: 'main'}]}""");

    private static final Shape SUBNET = new Shape("""
            {subnetId: '{subnet}', vpcId: '{vpc}', ownerId: '{account}', state: 'available', cidrBlock: '10.1.0.0/18',
             availabilityZone: '{region}a', availableIpAddressCount: 16000, mapPublicIpOnLaunch: false,
             tagSet: [{key: 'Name', value: 'machines'}]}""");

    private static final Shape SECURITY_GROUP = new Shape("""
            {groupId: '{group}', groupName: 'machines', groupDescription: 'HTTPS from inside', ownerId: '{account}',
             vpcId: '{vpc}', ipPermissions: [{ipProtocol: 'tcp', fromPort: 443, toPort: 443, ipRanges: [{cidrIp: '10.0.0.0/8'}]}],
             ipPermissionsEgress: [{ipProtocol: '-1', ipRanges: [{cidrIp: '0.0.0.0/0'}]}]}""");

    private static final Shape ROUTE_TABLE = new Shape("""
            {routeTableId: 'rtb-0e1de000000000001', vpcId: '{vpc}', ownerId: '{account}',
             routeSet: [{destinationCidrBlock: '10.1.0.0/16', gatewayId: 'local', state: 'active'},
               {destinationCidrBlock: '0.0.0.0/0', gatewayId: 'igw-0e1de000000000001', state: 'active'}],
             associationSet: [{routeTableAssociationId: 'rtbassoc-0e1de000000000001', routeTableId: 'rtb-0e1de000000000001',
               subnetId: '{subnet}', main: false}]}""");

    private static final Shape INTERNET_GATEWAY = new Shape("""
            {internetGatewayId: 'igw-0e1de000000000001', ownerId: '{account}',
             attachmentSet: [{vpcId: '{vpc}', state: 'available'}]}""");

    private static final Shape USER = new Shape("""
            {Path: '/', UserName: '{name}', UserId: 'AIDA000000000000{number}', CreateDate: '{since}',
             Arn: 'arn:aws:iam::{account}:user/{name}'}""");

    private static final Shape GROUP = new Shape("""
            {Path: '/', GroupName: '{name}', GroupId: 'AGPA000000000000{number}', CreateDate: '2024-03-01T09:00:00Z',
             Arn: 'arn:aws:iam::{account}:group/{name}'}""");

    private static final Shape ROLE = new Shape("""
            {Path: '/', RoleName: '{name}', RoleId: 'AROA000000000000{number}', CreateDate: '2024-03-01T09:00:00Z',
             Arn: 'arn:aws:iam::{account}:role/{name}', Description: 'Machines of {name}', MaxSessionDuration: 3600}""");

    private static final Map<String, Object> PLACES = Map.of(
            "account", ACCOUNT,
            "region", REGION,
            "vpc", "vpc-0e1de000000000001",
            "subnet", "subnet-0e1de000000000001",
            "group", "sg-0e1de000000000001");

    /** By service and action, or method and path. */
    private final Map<String, Function<Call, Reply>> answers = new HashMap<>();

    private final Company company;
    private final String secret = UUID.randomUUID().toString();
    private final Site site = Site.start();

    public SimulatedAws(Company company) {
        this.company = company;
        result("sts GetCallerIdentity", call -> JsonNodeFactory.instance
                .objectNode()
                .put("UserId", "AIDA0000000000000000E")
                .put("Account", ACCOUNT)
                .put("Arn", "arn:aws:iam::" + ACCOUNT + ":user/elder"));
        ec2("DescribeInstances", "reservationSet", state -> machines(INSTANCE, state));
        ec2("DescribeVolumes", "volumeSet", state -> machines(VOLUME, state));
        ec2("DescribeNetworkInterfaces", "networkInterfaceSet", state -> machines(INTERFACE, state));
        ec2("DescribeVpcs", "vpcSet", state -> one(VPC));
        ec2("DescribeSubnets", "subnetSet", state -> one(SUBNET));
        ec2("DescribeSecurityGroups", "securityGroupInfo", state -> one(SECURITY_GROUP));
        ec2("DescribeRouteTables", "routeTableSet", state -> one(ROUTE_TABLE));
        ec2("DescribeInternetGateways", "internetGatewaySet", state -> one(INTERNET_GATEWAY));
        ec2("DescribeNatGateways", "natGatewaySet", SimulatedAws::none);
        ec2("DescribeAddresses", "addressesSet", SimulatedAws::none);
        iam("ListAccountAliases", "AccountAliases", (state, form) -> none(state).add("example-shop"));
        iam("ListUsers", "Users", (state, form) -> users(state, operators(state)));
        iam("ListAccessKeys", "AccessKeyMetadata", (state, form) -> none(state));
        iam(
                "ListGroupsForUser",
                "Groups",
                (state, form) -> groups(operators(state).stream()
                        .filter(team -> members(state, List.of(team)).stream()
                                .anyMatch(person -> person.username().equals(form.get("UserName"))))
                        .toList()));
        iam("ListGroups", "Groups", (state, form) -> groups(operators(state)));
        iam(
                "GetGroup",
                "Users",
                (state, form) -> users(
                        state,
                        operators(state).stream()
                                .filter(team -> team.name().equals(form.get("GroupName")))
                                .toList()));
        iam(
                "ListRoles",
                "Roles",
                (state, form) -> ROLE.each(
                        Company.services(),
                        service -> Map.of(
                                "account",
                                ACCOUNT,
                                "name",
                                service,
                                "number",
                                "%04d".formatted(Company.services().indexOf(service)))));
        // Of all that follows the company has nothing.
        for (String[] list : new String[][] {
            {"elasticloadbalancing DescribeLoadBalancers 2015-12-01", "LoadBalancers"},
            {"elasticloadbalancing DescribeLoadBalancers 2012-06-01", "LoadBalancerDescriptions"},
            {"elasticloadbalancing DescribeTargetGroups 2015-12-01", "TargetGroups"},
            {"rds DescribeDBInstances", "DBInstances"},
            {"rds DescribeDBClusters", "DBClusters"},
            {"elasticache DescribeCacheClusters", "CacheClusters"},
            {"elasticache DescribeReplicationGroups", "ReplicationGroups"},
            {"sns ListTopics", "Topics"}
        }) {
            result(list[0], call -> listOf(list[1], JsonNodeFactory.instance.arrayNode()));
        }
        for (String[] list : new String[][] {
            {"ecs AmazonEC2ContainerServiceV20141113.ListClusters", "clusterArns"},
            {"sqs AmazonSQS.ListQueues", "QueueUrls"},
            {"dynamodb DynamoDB_20120810.ListTables", "TableNames"},
            {"lambda GET /2015-03-31/functions", "Functions"},
            {"eks GET /clusters", "clusters"}
        }) {
            answers.put(list[0], call -> Reply.json(listOf(list[1], JsonNodeFactory.instance.arrayNode())));
        }
        answers.put("s3 GET /", call -> Reply.xml(200, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"));
        answers.put(
                "route53 GET /2013-04-01/hostedzone",
                call -> Reply.xml(
                        200,
                        "<ListHostedZonesResponse><HostedZones/><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"));
        answers.put(
                "cloudfront GET /2020-05-31/distribution",
                call -> Reply.xml(
                        200,
                        "<DistributionList><Marker/><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>0</Quantity></DistributionList>"));
        for (String path : List.of("/", "/{path*}")) {
            site.get(path, this::answer).post(path, this::answer);
        }
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "AWS_ENABLED", "true",
                "AWS_ENDPOINT_URL", site.url(),
                "AWS_REGIONS", REGION,
                "AWS_ACCESS_KEY_ID", KEY,
                "AWS_SECRET_ACCESS_KEY", secret);
    }

    @Override
    public void close() {
        site.close();
    }

    private Reply answer(Call call) {
        Matcher credential = CREDENTIAL.matcher(call.header("authorization").orElse(""));
        if (!credential.matches() || !credential.group(1).equals(KEY)) {
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
        }
        String service = credential.group(3);
        Map<String, String> form = Site.parameters(call.body());
        String what = call.header("x-amz-target")
                .orElseGet(() -> form.containsKey("Action")
                        ? form.get("Action") + (service.equals("elasticloadbalancing") ? " " + form.get("Version") : "")
                        : call.method() + " "
                                + (call.path().length() > 1 ? call.path().replaceFirst("/$", "") : "/"));
        Function<Call, Reply> answer = answers.get(service + " " + what);
        if (answer == null) {
            String message = "The action " + what + " is not valid for " + service + ".";
            return call.header("x-amz-target").isPresent()
                    ? Reply.json(400, JsonNodeFactory.instance.objectNode().put("__type", "UnknownOperationException"))
                    : error(400, "InvalidAction", message);
        }
        return answer.apply(call);
    }

    private static Reply error(int status, String code, String message) {
        return Reply.xml(
                status,
                "<Response><Errors><Error><Code>" + code + "</Code><Message>" + message
                        + "</Message></Error></Errors></Response>");
    }

    private void ec2(String action, String list, Function<State, ArrayNode> items) {
        answers.put(
                "ec2 " + action,
                call -> Reply.xml(
                        200, Shape.xml(action + "Response", listOf(list, items.apply(company.now())), "item")));
    }

    private void iam(String action, String list, BiFunction<State, Map<String, String>, ArrayNode> items) {
        result("iam " + action, call -> listOf(list, items.apply(company.now(), Site.parameters(call.body())))
                .put("IsTruncated", false));
    }

    /** In the form of all query services but EC2. */
    private void result(String what, Function<Call, ObjectNode> content) {
        String action = what.split(" ")[1];
        answers.put(what, call -> {
            ObjectNode response = JsonNodeFactory.instance.objectNode();
            response.set(action + "Result", content.apply(call));
            response.putObject("ResponseMetadata")
                    .put("RequestId", UUID.randomUUID().toString());
            return Reply.xml(200, Shape.xml(action + "Response", response, "member"));
        });
    }

    private static ObjectNode listOf(String name, JsonNode items) {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        object.set(name, items);
        return object;
    }

    private static ArrayNode none(State state) {
        return JsonNodeFactory.instance.arrayNode();
    }

    private static ArrayNode one(Shape shape) {
        return JsonNodeFactory.instance.arrayNode().add(shape.of(PLACES));
    }

    private static ArrayNode machines(Shape shape, State state) {
        return shape.each(state.machines(Place.AWS), SimulatedAws::values);
    }

    private static Map<String, Object> values(Machine machine) {
        Map<String, Object> values = Shape.values(machine, 1);
        values.putAll(PLACES);
        values.put("code", machine.isRunning() ? 16 : 80);
        values.put("state", machine.isRunning() ? "running" : "stopped");
        values.put(
                "size",
                machine.cores() == 2 ? "large" : machine.cores() == 4 ? "xlarge" : machine.cores() / 4 + "xlarge");
        return values;
    }

    /** Those who operate machines: the teams that IAM knows. */
    private static List<Team> operators(State state) {
        return state.teams().stream()
                .filter(team -> team.name().equals("datacenter") || team.name().equals("network"))
                .toList();
    }

    private static List<Person> members(State state, List<Team> teams) {
        return state.people().stream()
                .filter(person -> teams.stream().anyMatch(team -> team.members().contains(person.number())))
                .toList();
    }

    private static ArrayNode users(State state, List<Team> teams) {
        return USER.each(
                members(state, teams),
                person -> Map.of(
                        "account", ACCOUNT,
                        "name", person.username(),
                        "number", "%04d".formatted(person.number()),
                        "since", person.since().toString()));
    }

    private static ArrayNode groups(List<Team> teams) {
        return GROUP.each(
                teams,
                team -> Map.of("account", ACCOUNT, "name", team.name(), "number", "%04d".formatted(team.number())));
    }
}

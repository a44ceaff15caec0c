#requires -Version 5.1
#requires -PSEdition Desktop

<#
.SYNOPSIS
Saves the data that hyperv_replica_exporter reads from this Hyper-V host, with names and addresses replaced.

.DESCRIPTION
The files have the data that the exporter reads: properties of classes, replication statistics, and errors. With
"hyperv_replica_exporter --source=replay:FOLDER" the exporter uses the files instead of a host, on any operating system.
docs/replay.md describes the format.

The script only reads. It does not change the host and does not send anything. Check the files before you share them.

The script replaces names of VMs, hosts and domains, IP addresses, folders, trust groups, thumbprints and GUIDs. All
occurrences of a value have the same replacement. Of certificates the files have only the dates. Messages in the
language of the host remain, with known names replaced: read them. The list of replacements is in a mapping file,
which is not part of the capture. Do not share it.

Run the script on the Hyper-V host, in a Windows PowerShell that was started with "Run as administrator".

.PARAMETER OutputPath
Folder for the files. It must be empty or not exist.

.PARAMETER MappingPath
File for the list of replacements. The default is the name of the folder with -mapping.txt appended.

.PARAMETER KeepGuids
Does not replace GUIDs.

.PARAMETER Force
Creates a capture without administrator rights or without Hyper-V, if that is the problem to report.

.EXAMPLE
.\capture.ps1 -OutputPath C:\Temp\capture

.EXAMPLE
.\capture.ps1 -OutputPath C:\Temp\capture -WhatIf

Reads the host and shows the number of replacements, but writes nothing.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)]
    [ValidateNotNullOrEmpty()]
    [string] $OutputPath,

    [string] $MappingPath = '',

    [switch] $KeepGuids,

    [switch] $Force
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# The properties of each class to read. A string property has a kind, which defines the replacement of names:
#   Fixed       a constant of Hyper-V, not replaced
#   Id          a key or an object path, with GUIDs and the name of this host
#   Machine     the name of a VM or a checkpoint
#   Counter     the name of a VM, with #1 or similar appended if the name is not unique
#   Host        the name, FQDN or address of a host, or a wildcard for hosts
#   Group, Folder, Thumbprint, Address
#   Text        a message, which may have any of these
$Classes = [ordered] @{
    'root\virtualization\v2:Msvm_ComputerSystem' = 'Name=Id ElementName=Machine EnabledState ReplicationMode InstallDate'
    'root\virtualization\v2:Msvm_ReplicationRelationship' = 'InstanceID=Id ElementName=Machine ReplicationState
        ReplicationHealth FailedOverReplicationType LastReplicationType LastReplicationTime
        LastApplicationConsistentReplicationTime LastApplyTime'
    'root\virtualization\v2:Msvm_ReplicationSettingData' = 'InstanceID=Id ElementName=Machine AuthenticationType
        CertificateThumbPrint=Thumbprint CompressionEnabled BypassProxyServer RecoveryConnectionPoint=Host
        RecoveryHostSystem=Host PrimaryConnectionPoint=Host PrimaryHostSystem=Host RecoveryServerPortNumber
        ReplicateHostKvpItems ApplicationConsistentSnapshotInterval RecoveryHistory IncludedDisks=Id
        AutoResynchronizeEnabled AutoResynchronizeIntervalStart AutoResynchronizeIntervalEnd ReplicationProvider=Id
        ReplicationInterval'
    'root\virtualization\v2:Msvm_ReplicationStatistics' = 'StartStatisticTime EndStatisticTime
        ReplicationSuccessCount ReplicationMissCount ReplicationSize MaxReplicationSize ReplicationLatency
        MaxReplicationLatency NetworkFailureCount ReplicationFailureCount ApplicationConsistentSnapshotFailureCount
        PendingReplicationSize ReplicationHealth LastTestFailoverTime'
    'root\virtualization\v2:Msvm_ReplicationService' = 'Name=Fixed CreationClassName=Fixed SystemName=Host
        SystemCreationClassName=Fixed OperationalStatus StatusDescriptions=Text'
    'root\virtualization\v2:Msvm_ReplicationServiceSettingData' = 'InstanceID=Id RecoveryServerEnabled
        AllowedAuthenticationType CertificateThumbPrint=Thumbprint HttpPort HttpsPort MonitoringInterval
        MonitoringStartTime'
    'root\virtualization\v2:Msvm_SystemReplicationRelationship' = 'Antecedent=Id Dependent=Id'
    'root\virtualization\v2:Msvm_ReplicationAuthorizationSettingData' = 'AllowedPrimaryHostSystem=Host
        ReplicaStorageLocation=Folder TrustGroup=Group'
    'root\virtualization\v2:Msvm_ReplicationProvider' = 'Name=Id ElementName=Text OperationalStatus'
    'root\virtualization\v2:Msvm_ReplicaSystemDependency' = 'Antecedent=Id Dependent=Id'
    'root\virtualization\v2:Msvm_FailoverNetworkAdapterSettingData' = 'InstanceID=Id ProtocolIFType DHCPEnabled
        IPAddresses=Address Subnets=Fixed DefaultGateways=Address DNSServers=Address'
    'root\virtualization\v2:Msvm_EthernetPortFailoverSettingDataComponent' = 'GroupComponent=Id PartComponent=Id'
    'root\virtualization\v2:Msvm_ConcreteJob' = 'InstanceID=Id JobType JobState PercentComplete ErrorCode
        ErrorDescription=Text ErrorSummaryDescription=Text Cancellable TimeSubmitted StartTime ScheduledStartTime
        ElapsedTime TimeBeforeRemoval'
    'root\virtualization\v2:Msvm_AffectedJobElement' = 'AffectedElement=Id AffectingElement=Id'
    'root\virtualization\v2:Msvm_VirtualSystemSettingData' = 'InstanceID=Id ElementName=Machine
        VirtualSystemIdentifier=Id VirtualSystemType=Fixed CreationTime'
    'root\virtualization\v2:Msvm_SnapshotOfVirtualSystem' = 'Antecedent=Id Dependent=Id'
    'root\cimv2:Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM' = 'Name=Counter NetworkBytesSent
        NetworkBytesRecv ResynchronizedBytes ReplicationCount'
}

# The out parameters of the methods, without the certificates, because certificates have many names.
$Parameters = 'ReturnValue Job=Id ReplicationStatistics=Xml ReplicationHealthIssues=Xml'

# The built-in replication provider of Hyper-V. It has the same GUID on all hosts.
$BuiltinProvider = '22391CDC-272C-4DDF-BA88-9BEFB1A0975C'

# ---- Replacing names -------------------------------------------------------------------------------------------------

# The replacements by kind. Hashtables of PowerShell are not case-sensitive, but names of VMs may differ in case only.
# Always use PSBase for the members of these dictionaries, because a VM may have the name Count or Keys.
$Mapping = [ordered] @{}
foreach ($kind in 'Machine', 'Host', 'Domain', 'Address', 'Folder', 'Group', 'Thumbprint', 'Guid') {
    $Mapping[$kind] = New-Object 'System.Collections.Generic.Dictionary[string,string]'
}

# Returns the substitute for an original. If there is none, adds one with the next number and the suffix.
function Get-Substitute([string] $Kind, [string] $Original, [string] $Format, [string] $Suffix = '') {
    $known = $script:Mapping[$Kind]
    if (-not $known.ContainsKey($Original)) {
        $known.Add($Original, ($Format -f ($known.PSBase.Count + 1)) + $Suffix)
    }
    return $known[$Original]
}

# Returns the substitute in upper case if the original is in upper case, otherwise in lower case. Programs may depend on
# the case.
function Get-SameCase([string] $Substitute, [string] $Original) {
    if ($Original -ceq $Original.ToUpperInvariant()) { return $Substitute.ToUpperInvariant() }
    return $Substitute.ToLowerInvariant()
}

$GuidPattern = '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}'

function Hide-Guids([string] $Text) {
    if ($script:KeepGuids) { return $Text }
    return [regex]::Replace($Text, $script:GuidPattern, {
        param($match)
        $guid = $match.Value.ToLowerInvariant()
        if ($guid -eq $script:BuiltinProvider) { return $match.Value }
        Get-SameCase (Get-Substitute 'Guid' $guid 'aaaaaaaa-0000-0000-0000-{0:d12}') $match.Value
    })
}

# Replaces names in keys and object paths. These have no names of hosts without a domain, except that of this host.
function Hide-Id([string] $Text) {
    if ($null -ne $script:DomainPattern) {
        $Text = $script:DomainPattern.Replace($Text, {
            param($match)
            if ($script:Mapping['Domain'].ContainsKey($match.Value)) { return $script:Mapping['Domain'][$match.Value] }
            Hide-Host $match.Value
        })
    }
    $own = '(?i)(?<![A-Za-z0-9-])' + [regex]::Escape($env:COMPUTERNAME) + '(?![A-Za-z0-9-])'
    return [regex]::Replace((Hide-Guids $Text), $own, { param($match) Hide-Host $match.Value })
}

# Replaces the name of a VM. The substitute has the punctuation of the name, and one letter that is not ASCII if the
# name has any, because such characters often cause bugs.
function Hide-Machine([string] $Text) {
    if ($Text -eq '') { return '' }
    if ($script:Mapping['Host'].ContainsKey($Text.ToLowerInvariant())) { return Hide-Host $Text }
    $marks = $Text -creplace '[^ -/:-@\[-`{-~]', ''
    if ($Text -cmatch '[^\x00-\x7F]') { $marks += [char] 0xFC }
    return Get-Substitute 'Machine' $Text 'vm{0:d3}' $marks
}

# Replaces the name of an instance of a performance counter. If several VMs have the same name, the second one has #1
# appended.
function Hide-Counter([string] $Text) {
    if ($Text -match '^(.+)(#\d+)$' -and -not $script:Mapping['Machine'].ContainsKey($Text)) {
        $name, $number = $Matches[1], $Matches[2]
        return (Hide-Machine $name) + $number
    }
    return Hide-Machine $Text
}

function Hide-Host([string] $Text) {
    if ($Text -eq '' -or $Text -eq '*') { return $Text }
    if ($Text -match '^\d+(\.\d+){3}$' -or $Text.Contains(':')) { return Hide-Address $Text }
    $label, $domain = $Text -split '\.', 2
    $hidden = $label
    if ($label -ne '*') {
        $hidden = Get-SameCase (Get-Substitute 'Host' $label.ToLowerInvariant() 'host{0}') $label
    }
    if (-not $domain) { return $hidden }
    return $hidden + '.' + (Get-Substitute 'Domain' $domain.ToLowerInvariant() 'domain{0}.example')
}

# Replaces addresses by addresses of networks that are reserved for tests (198.18.0.0/15) and for documentation
# (2001:db8::/32).
function Hide-Address([string] $Text) {
    $address = $null
    if ($Text -in '', '0.0.0.0', '127.0.0.1', '::', '::1') { return $Text }
    if (-not [System.Net.IPAddress]::TryParse($Text, [ref] $address)) {
        return Get-Substitute 'Address' $Text 'address{0}'
    }
    if ($address.AddressFamily -eq 'InterNetworkV6') {
        return Get-Substitute 'Address' $Text.ToLowerInvariant() '2001:db8::{0:x}'
    }
    $number = $script:Mapping['Address'].PSBase.Count + 1
    return Get-Substitute 'Address' $Text ('198.18.{0}.{1}' -f [math]::Floor($number / 256), ($number % 256))
}

function Hide-Folder([string] $Text) {
    if ($Text -eq '') { return '' }
    $format = 'C:\folder{0:d3}'
    if ($Text.StartsWith('\\')) { $format = '\\server\folder{0:d3}' }
    return Get-Substitute 'Folder' $Text.ToLowerInvariant() $format
}

# Replaces GUIDs, paths, hosts of known domains, known names and addresses in a message. A path ends at a quotation mark
# or at the end of the line, because its end cannot be recognized otherwise.
function Hide-Text([string] $Text) {
    $Text = Hide-Guids $Text
    $Text = [regex]::Replace($Text, '(?:\b[A-Za-z]:|\\)\\[^"''<>|\r\n]+', { param($match) Hide-Folder $match.Value })
    if ($null -ne $script:DomainPattern) {
        $Text = $script:DomainPattern.Replace($Text, { param($match) Hide-Host $match.Value })
    }
    if ($null -ne $script:NamePattern) {
        $Text = $script:NamePattern.Replace($Text, { param($match) $script:NameLookup[$match.Value] })
    }
    # IPv4 addresses first: a port may follow them, and an IPv6 address may end with one.
    $Text = [regex]::Replace($Text, '(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)', { param($match) Hide-KnownAddress $match.Value })
    return [regex]::Replace($Text, '(?<![\w.:])[0-9A-Fa-f]*:[0-9A-Fa-f:]*[0-9A-Fa-f](?!\w)', { param($match) Hide-KnownAddress $match.Value })
}

# Replaces an address. Returns text that only looks like an address unchanged, such as a time of day.
function Hide-KnownAddress([string] $Text) {
    $address = $null
    if (-not [System.Net.IPAddress]::TryParse($Text, [ref] $address)) { return $Text }
    return Hide-Address $Text
}

# Replaces names in an embedded instance. It changes only text between tags; everything else is unchanged, including
# errors. Numbers, times and boolean values are not names, even if a VM has the name 150.
function Hide-Xml([string] $Text) {
    return [regex]::Replace($Text, '(?s)(?<=>)[^<]+(?=<)|(?<=<!\[CDATA\[).*?(?=\]\]>)', {
        param($match)
        if ($match.Value -match '^(?:\s*|\d+|[\d*]{14}\.[\d*]{6}[+:-](?:\d{3}|\*{3})|true|false)$') { return $match.Value }
        $plain = [System.Net.WebUtility]::HtmlDecode($match.Value)
        $hidden = Hide-Text $plain
        if ($hidden -ceq $plain) { return $match.Value }
        [System.Security.SecurityElement]::Escape($hidden)
    })
}

# Prepares Hide-Text after all names are known. Longer names come first, because they may include shorter ones.
function Set-KnownNames {
    $script:NameLookup = @{}
    foreach ($name in $script:Mapping['Host'].PSBase.Keys) { $script:NameLookup[$name] = $script:Mapping['Host'][$name] }
    foreach ($name in $script:Mapping['Machine'].PSBase.Keys) { $script:NameLookup[$name] = $script:Mapping['Machine'][$name] }
    $longest = @{ Expression = { $_.Length }; Descending = $true }
    $names = @($script:NameLookup.PSBase.Keys | Sort-Object -Property $longest | ForEach-Object { [regex]::Escape($_) })
    if ($names.Count -gt 0) {
        $pattern = '(?i)(?<![A-Za-z0-9])(?:' + ($names -join '|') + ')(?![A-Za-z0-9])'
        $script:NamePattern = New-Object System.Text.RegularExpressions.Regex $pattern
    }
    $domains = @($script:Mapping['Domain'].PSBase.Keys | Sort-Object -Property $longest | ForEach-Object { [regex]::Escape($_) })
    if ($domains.Count -gt 0) {
        $pattern = '(?i)(?:(?:[A-Za-z0-9_-]+|\*)\.|(?<![A-Za-z0-9.-]))(?:' + ($domains -join '|') + ')(?![A-Za-z0-9-])'
        $script:DomainPattern = New-Object System.Text.RegularExpressions.Regex $pattern
    }
}

# ---- Values as text --------------------------------------------------------------------------------------------------

function Format-Value($Value, [string] $Kind) {
    if ($null -eq $Value) { return '' }
    if ($Value -is [System.Management.ManagementBaseObject]) {
        $Value = $Value.PSBase.GetText([System.Management.TextFormat]::CimDtd20)
    }
    if ($Value -is [bool]) { return $Value.ToString().ToUpperInvariant() }
    if ($Value -isnot [string]) { return [string]::Format([cultureinfo]::InvariantCulture, '{0}', $Value) }
    $text = switch ($Kind) {
        '' { $Value }
        'Fixed' { $Value }
        'Id' { Hide-Id $Value }
        'Machine' { Hide-Machine $Value }
        'Counter' { Hide-Counter $Value }
        'Host' { Hide-Host $Value }
        'Address' { Hide-Address $Value }
        'Folder' { Hide-Folder $Value }
        'Group' { if ($Value -in '', 'DEFAULT') { $Value } else { Get-Substitute 'Group' $Value 'group{0:d3}' } }
        'Thumbprint' { if ($Value -eq '') { '' } else { Get-Substitute 'Thumbprint' ($Value -replace '[\s\p{Cf}]', '').ToUpperInvariant() '{0:X40}' } }
        'Text' { Hide-Text $Value }
        'Xml' { Hide-Xml $Value }
        default { throw "Bug in this script: no rule for values of kind '$Kind'." }
    }
    # Characters that are not allowed in XML: control characters and single surrogates.
    $pattern = '[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]'
    return [regex]::Replace($text, $pattern, [string] [char] 0xFFFD)
}

# Returns the kinds of the properties of a class or a method by name.
function Get-Kinds([string] $Properties) {
    $kinds = @{}
    foreach ($word in $Properties.Trim() -split '\s+') {
        $name, $kind = $word -split '=', 2
        $kinds[$name] = [string] $kind
    }
    return $kinds
}

# ---- Reading ---------------------------------------------------------------------------------------------------------

function Get-Failure($Record) {
    $exception = $Record.Exception.GetBaseException()
    $code = $exception.HResult
    if ($exception -is [System.Management.ManagementException]) { $code = [int] $exception.ErrorCode }
    return @{ Code = '0x{0:X8}' -f $code; Text = $exception.Message }
}

function Get-Class([string] $Namespace, [string] $Name, [hashtable] $Kinds) {
    $read = @{ Namespace = $Namespace; Name = $Name; Kinds = $Kinds; Rows = @(); Failure = $null; Milliseconds = 0 }
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        $read.Rows = @(Get-WmiObject -Namespace $Namespace -Class $Name)
    } catch {
        $read.Failure = Get-Failure $_
    }
    $read.Milliseconds = $watch.ElapsedMilliseconds
    return $read
}

# Calls a method of Hyper-V. All methods in the set only read. No other function calls methods of Hyper-V.
function Get-Answer {
    param(
        $Service,
        [ValidateSet('GetReplicationStatisticsEx', 'GetSystemCertificates')]
        [string] $Method,
        [string] $InstanceID,
        [hashtable] $In
    )
    $answer = @{ InstanceID = $InstanceID; Out = $null; Failure = $null; Milliseconds = 0 }
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        $arguments = $null
        if ($In.Count -gt 0) {
            $arguments = $Service.PSBase.GetMethodParameters($Method)
            foreach ($name in $In.Keys) { $arguments.PSBase.SetPropertyValue($name, $In[$name]) }
        }
        $answer.Out = $Service.PSBase.InvokeMethod($Method, $arguments, $null)
    } catch {
        $answer.Failure = Get-Failure $_
    }
    $answer.Milliseconds = $watch.ElapsedMilliseconds
    return $answer
}

# Returns the value of a property, null if the class does not have the property.
function Get-Value($Object, [string] $Name) {
    foreach ($property in $Object.PSBase.Properties) {
        if ($property.Name -eq $Name) { return $property.Value }
    }
    return $null
}

# Returns the statistics of all relationships that replicate. The exporter reads them, too.
function Get-Statistics($Service, $Relationships) {
    $path = $Service.PSBase.Path
    foreach ($relationship in $Relationships) {
        $id = [string] (Get-Value $relationship 'InstanceID')
        if ((Get-Value $relationship 'ReplicationState') -eq 0 -or $id -notmatch "^Microsoft:($GuidPattern)") { continue }
        Get-Answer -Service $Service -Method GetReplicationStatisticsEx -InstanceID $id -In @{
            ComputerSystem = '\\{0}\{1}:Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="{2}"' -f
                $path.Server, $path.NamespacePath, $Matches[1]
            ReplicationRelationship = $relationship.PSBase.GetText([System.Management.TextFormat]::CimDtd20)
        }
    }
}

# ---- Writing ---------------------------------------------------------------------------------------------------------

function Write-Property($Writer, $Property, [string] $Kind) {
    $type = $Property.Type.ToString().ToLowerInvariant()
    $element, $valueElement = 'PROPERTY', 'VALUE'
    if ($Property.IsArray) {
        $element = 'PROPERTY.ARRAY'
    } elseif ($type -eq 'reference') {
        $element, $valueElement = 'PROPERTY.REFERENCE', 'VALUE.REFERENCE'
    }
    $Writer.WriteStartElement($element)
    $Writer.WriteAttributeString('NAME', $Property.Name)
    if ($element -ne 'PROPERTY.REFERENCE') { $Writer.WriteAttributeString('TYPE', $type) }
    if ($null -ne $Property.Value) {
        if ($Property.IsArray) { $Writer.WriteStartElement('VALUE.ARRAY') }
        foreach ($value in @($Property.Value)) {
            $Writer.WriteElementString($valueElement, (Format-Value $value $Kind))
        }
        if ($Property.IsArray) { $Writer.WriteEndElement() }
    }
    $Writer.WriteEndElement()
}

function Write-Instance($Writer, [string] $Class, $Object, [hashtable] $Kinds) {
    $Writer.WriteStartElement('INSTANCE')
    $Writer.WriteAttributeString('CLASSNAME', $Class)
    foreach ($property in $Object.PSBase.Properties) {
        if ($Kinds.ContainsKey($property.Name)) { Write-Property $Writer $property $Kinds[$property.Name] }
    }
    $Writer.WriteEndElement()
}

function Write-Failure($Writer, $Failure) {
    $Writer.WriteStartElement('ERROR')
    $Writer.WriteAttributeString('CODE', $Failure.Code)
    $Writer.WriteString((Format-Value $Failure.Text 'Text'))
    $Writer.WriteEndElement()
}

# Writes the dates of a certificate and its thumbprint, which has the same substitute as in the settings.
function Write-Certificate($Writer, [string] $Encoded) {
    $bytes = [Convert]::FromBase64String($Encoded)
    $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, $bytes)
    $Writer.WriteStartElement('CERTIFICATE')
    $Writer.WriteAttributeString('THUMBPRINT', (Format-Value $certificate.Thumbprint 'Thumbprint'))
    $Writer.WriteAttributeString('NOTBEFORE', (Format-Time $certificate.NotBefore))
    $Writer.WriteAttributeString('NOTAFTER', (Format-Time $certificate.NotAfter))
    $Writer.WriteEndElement()
    $certificate.Reset()
}

function Format-Time([datetime] $Time) {
    return $Time.ToUniversalTime().ToString('yyyyMMddHHmmss.ffffff', [cultureinfo]::InvariantCulture) + '-000'
}

# Writes a file with a single element. $Content gets the writer after the attributes and writes the content.
function Write-File([string] $Name, [string] $Element, $Attributes, [scriptblock] $Content) {
    $settings = New-Object System.Xml.XmlWriterSettings
    $settings.Encoding = New-Object System.Text.UTF8Encoding $false
    $settings.Indent = $true
    $settings.NewLineHandling = [System.Xml.NewLineHandling]::Entitize
    $writer = [System.Xml.XmlWriter]::Create((Join-Path $script:OutputPath "$Name.xml"), $settings)
    try {
        $writer.WriteStartElement($Element)
        foreach ($attribute in $Attributes.Keys) { $writer.WriteAttributeString($attribute, [string] $Attributes[$attribute]) }
        & $Content $writer
        $writer.WriteEndElement()
    } finally {
        $writer.Dispose()
    }
}

function Write-ClassFile($Read) {
    $attributes = [ordered] @{ NAME = $Read.Name; NAMESPACE = $Read.Namespace; MILLISECONDS = $Read.Milliseconds }
    Write-File $Read.Name 'CLASS' $attributes {
        param($writer)
        if ($null -ne $Read.Failure) { Write-Failure $writer $Read.Failure }
        foreach ($row in $Read.Rows) { Write-Instance $writer $Read.Name $row $Read.Kinds }
    }
}

function Write-MethodFile([string] $Name, $Answers) {
    $kinds = Get-Kinds $script:Parameters
    Write-File $Name 'METHOD' ([ordered] @{ NAME = $Name }) {
        param($writer)
        foreach ($answer in $Answers) {
            $writer.WriteStartElement('CALL')
            $writer.WriteAttributeString('INSTANCEID', (Format-Value $answer.InstanceID 'Id'))
            $writer.WriteAttributeString('MILLISECONDS', [string] $answer.Milliseconds)
            if ($null -ne $answer.Failure) {
                Write-Failure $writer $answer.Failure
            } else {
                Write-Instance $writer '__PARAMETERS' $answer.Out $kinds
                foreach ($encoded in @(Get-Value $answer.Out 'EncodedCertificates')) {
                    if ($encoded) { Write-Certificate $writer $encoded }
                }
            }
            $writer.WriteEndElement()
        }
    }
}

# ---- The capture -----------------------------------------------------------------------------------------------------

# Fails if the capture would have no data.
function Assert-Host {
    $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object System.Security.Principal.WindowsPrincipal $identity
    if (-not $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'No administrator rights: Hyper-V would return no data. Start Windows PowerShell with "Run as administrator" and run the script again. To create a capture nevertheless, use -Force.'
    }
    $probe = Get-Class 'root\virtualization\v2' 'Msvm_ReplicationService' @{}
    if ($null -ne $probe.Failure) {
        throw "Hyper-V is not available ($($probe.Failure.Code) $($probe.Failure.Text)). Run the script on the Hyper-V host, with Windows Server 2016 or newer. To create a capture nevertheless, use -Force."
    }
    if ($probe.Rows.Count -eq 0) {
        throw 'Hyper-V returns no data. Check that the service vmms is running: Get-Service vmms. To create a capture nevertheless, use -Force.'
    }
}

function Assert-Paths {
    if (Test-Path -LiteralPath $script:OutputPath) {
        $isFolder = Test-Path -LiteralPath $script:OutputPath -PathType Container
        if (-not $isFolder -or @(Get-ChildItem -LiteralPath $script:OutputPath -Force).Count -gt 0) {
            throw "'$script:OutputPath' exists and is not an empty folder. Choose another folder with -OutputPath."
        }
    }
    if ($script:MappingPath.StartsWith($script:OutputPath + '\', [StringComparison]::OrdinalIgnoreCase)) {
        throw "'$script:MappingPath' is in the folder of the capture, which you may share. Choose another file with -MappingPath."
    }
    if (Test-Path -LiteralPath $script:MappingPath) {
        throw "'$script:MappingPath' already exists. Choose another file with -MappingPath."
    }
}

# Adds a substitute for every name before anything is written, because messages may have any of the names.
function Set-Substitutes($Reads) {
    $domain = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().DomainName
    $null = Hide-Host $env:COMPUTERNAME
    if ($domain) {
        $null = Hide-Host ($env:COMPUTERNAME + '.' + $domain)
        $null = Hide-Host (($domain -split '\.')[0])
    }
    if ($env:USERDOMAIN) { $null = Hide-Host $env:USERDOMAIN }
    foreach ($read in $Reads) {
        foreach ($row in $read.Rows) {
            foreach ($property in $row.PSBase.Properties) {
                $kind = [string] $read.Kinds[$property.Name]
                if ($kind -eq '' -or $kind -eq 'Text' -or $null -eq $property.Value) { continue }
                foreach ($value in @($property.Value)) { $null = Format-Value $value $kind }
            }
        }
    }
    Set-KnownNames
}

function Write-Capture($Reads, $Answers, [datetime] $Time) {
    $null = New-Item -ItemType Directory -Path $script:OutputPath -Force
    foreach ($read in $Reads) { Write-ClassFile $read }
    foreach ($method in $Answers.Keys) { Write-MethodFile $method $Answers[$method] }
    # The manifest is the last file: a capture without it is not complete.
    Write-File 'manifest' 'CAPTURE' ([ordered] @{
        FORMAT = 1
        TIME = Format-Time $Time
        BUILD = [System.Environment]::OSVersion.Version.Build
        LANGUAGE = [cultureinfo]::InstalledUICulture.Name
    }) {
        param($writer)
        foreach ($read in $Reads) {
            $writer.WriteStartElement('READ')
            $writer.WriteAttributeString('NAME', $read.Name)
            $writer.WriteAttributeString('MILLISECONDS', [string] $read.Milliseconds)
            $writer.WriteEndElement()
        }
        foreach ($method in $Answers.Keys) {
            $total = 0
            foreach ($answer in $Answers[$method]) { $total += $answer.Milliseconds }
            $writer.WriteStartElement('READ')
            $writer.WriteAttributeString('NAME', $method)
            $writer.WriteAttributeString('MILLISECONDS', [string] $total)
            $writer.WriteEndElement()
        }
    }
}

function Write-Mapping {
    $lines = foreach ($kind in $script:Mapping.Keys) {
        foreach ($original in $script:Mapping[$kind].PSBase.Keys) {
            "$kind`t$original`t$($script:Mapping[$kind][$original])"
        }
    }
    Set-Content -LiteralPath $script:MappingPath -Value @($lines) -Encoding UTF8
}

$OutputPath = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($OutputPath).TrimEnd('\')
if ($MappingPath -eq '') { $MappingPath = "$OutputPath-mapping.txt" }
$MappingPath = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($MappingPath)
$NamePattern, $DomainPattern, $NameLookup = $null, $null, @{}

Assert-Paths
if (-not $Force) { Assert-Host }

$time = [datetime]::UtcNow
$reads = @(foreach ($path in $Classes.Keys) {
    $namespace, $name = $path -split ':', 2
    Get-Class $namespace $name (Get-Kinds $Classes[$path])
})
$answers = [ordered] @{ GetReplicationStatisticsEx = @(); GetSystemCertificates = @() }
$services = @($reads | Where-Object { $_.Name -eq 'Msvm_ReplicationService' } | ForEach-Object { $_.Rows })
if ($services.Count -gt 0) {
    $relationships = @($reads | Where-Object { $_.Name -eq 'Msvm_ReplicationRelationship' } | ForEach-Object { $_.Rows })
    $answers['GetReplicationStatisticsEx'] = @(Get-Statistics $services[0] $relationships)
    $answers['GetSystemCertificates'] = @(Get-Answer -Service $services[0] -Method GetSystemCertificates -InstanceID '' -In @{})
}

Set-Substitutes $reads
if ($PSCmdlet.ShouldProcess($OutputPath, 'Write the capture')) {
    Write-Capture $reads $answers $time
    Write-Mapping
    Write-Host "The capture is in $OutputPath. Check it before you share it."
    Write-Host "The list of replacements is in $MappingPath. Do not share this file."
}
foreach ($read in $reads) {
    if ($null -ne $read.Failure) { Write-Warning "Cannot read $($read.Name): $($read.Failure.Code)" }
}
foreach ($kind in $Mapping.Keys) {
    [pscustomobject] @{ Kind = $kind; Replaced = $Mapping[$kind].PSBase.Count }
}
